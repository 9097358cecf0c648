"""How a command ends that an exception has ended: a paragraph for the user, the traceback in a file."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from pathlib import Path

from rich.console import Console

from sweeper import text
from sweeper.errors import SweeperError
from sweeper.records import states
from sweeper.secret import without_credentials
from sweeper.training import sources

FAILED, INTERRUPTED = 1, 130  # exit codes; the second one is what a shell expects after Ctrl-C
FILE = "traceback.txt"
_LONGEST = 600  # characters of a message; Keras lists all arguments of a call
_OURS = Path(__file__).parents[1]


def paragraph(error: BaseException) -> str:
    """What was raised, and the line of the user's own code that led to it, or the last one of all."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_own(Path(frame.filename))]
    told = [" ".join(states.reason(error).split())]
    if frames:
        frame = (own or frames)[-1]
        told.append(f"{frame.filename}, line {frame.lineno}, in {frame.name}: {frame.line}")
    return "\n".join(_short(text.printable(without_credentials(line))) for line in told)


def tell(error: BaseException, folder: Path | None = None) -> int:
    """Prints it and returns the exit code. A traceback goes into `folder`, or else where temporary files do.

    Raises: `error` itself if Hydra's HYDRA_FULL_ERROR is set.
    """
    if "HYDRA_FULL_ERROR" in os.environ:
        raise error
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, SweeperError):
        _print(str(error))
        return error.exit_code
    lines = without_credentials("".join(traceback.format_exception(error)))
    _print(f"{paragraph(error)}\nThe full traceback is in {_written(lines, folder)}")
    return FAILED


def _print(words: str) -> None:
    console = Console(stderr=True)
    print(f"\n{text.wrapped(words, console.width if console.is_terminal else None)}", file=sys.stderr)


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _written(lines: str, folder: Path | None) -> Path:
    try:
        file = folder / FILE if folder else _temporary()
        file.write_text(lines, encoding="utf-8")
    except OSError:  # the disk may be what is the matter
        file = _temporary()
        file.write_text(lines, encoding="utf-8")
    return file


def _temporary() -> Path:
    _, name = tempfile.mkstemp(prefix="sweeper-", suffix=f"-{FILE}")
    return Path(name)


def _is_own(file: Path) -> bool:
    """Of neither Python, nor a package that is installed, nor this engine."""
    return file.exists() and not sources.is_installed(file) and not file.is_relative_to(_OURS)

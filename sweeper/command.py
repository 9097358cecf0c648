"""Command lines: the one that the user typed, and the ones that repeat a single trial."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from sweeper.secret import without_credentials

_CONFIG_FLAGS = ("--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp")


def typed() -> str:
    """Without passwords, as all below: they are written down, and shown to others."""
    return _joined(_program(), sys.argv[1:])


def training(overrides: Iterable[str]) -> str:
    """Trains once with these overrides, found where this process found its config."""
    return _joined(_program(), _config_flags(sys.argv[1:]), overrides)


def resuming(sweep: str, typed: Iterable[str] | None = None) -> str:
    """What was typed, to go on with this sweep. typed: all words of that, if not by this process."""
    named = ("hydra.sweeper.resume=", "hydra.sweep.dir=")
    words = [*_program(), *sys.argv[1:]] if typed is None else typed
    return _joined((word for word in words if not word.startswith(named)), [f"hydra.sweeper.resume={sweep}"])


def git_commit() -> str | None:
    """The commit of the working folder, with '+changes' behind it where files differ from it; None outside of git."""
    head = _git("rev-parse", "HEAD")
    return f"{head}+changes" if head and _git("status", "--porcelain", "--untracked-files=no") else head


def _joined(*parts: Iterable[str]) -> str:
    words = (word.encode(errors="replace").decode() for part in parts for word in part)  # a file name may be no text
    return shlex.join(map(without_credentials, words))


def _program() -> list[str]:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is not None:
        return ["python", "-m", spec.name.removesuffix(".__main__")]
    script = Path(sys.argv[0])
    return ["python", str(script)] if script.suffix == ".py" else [script.name]


def _config_flags(arguments: list[str]) -> list[str]:
    kept = []
    for position, argument in enumerate(arguments):
        if argument in _CONFIG_FLAGS:
            kept += arguments[position : position + 2]
        elif argument.split("=")[0].lstrip("+") in (*_CONFIG_FLAGS, "hydra.searchpath"):
            kept.append(argument)
    return kept


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None

"""Command lines: the one that the user typed, and the ones that repeat a single trial."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sweeper.secret import without_credentials

_FOLDER_FLAGS = ("--config-dir", "-cd")
_CONFIG_FLAGS = (*_FOLDER_FLAGS, "--config-name", "-cn", "--config-path", "-cp")


@dataclass(frozen=True)
class Ours:
    """A recorded command of `python -m sweeper`."""

    config_dir: str | None  # of the user's own configs, as it was typed; None: those of the package alone
    words: list[str]  # the others


def typed() -> str:
    """Without passwords, as all below: they are written down, and shown to others."""
    return _joined(_program(), sys.argv[1:])


def training(overrides: Iterable[str]) -> str:
    """Trains once with these overrides, found where this process found its config."""
    return _joined(_program(), config_flags(sys.argv[1:]), overrides)


def resuming(typed: str, sweep: str, key: str = "hydra.sweeper.resume") -> str:
    """The command that was typed, to go on with this sweep, whose study holds what was enqueued. key: names it."""
    named = ("hydra.sweeper.resume=", "hydra.sweeper.enqueue=", "hydra.sweep.dir=", "hydra.run.dir=")
    kept = (word for word in _split(typed) if not word.startswith(named))
    return _joined(kept, [f"{key}={sweep}"])


def words(line: str) -> list[str]:
    """Of a recorded command, the program left out."""
    found = _split(line)
    if found[:1] != ["python"]:
        return found[1:]
    return found[3:] if found[1:2] == ["-m"] else found[2:]


def overrides(line: str) -> list[str]:
    """Of a command that `training` made."""
    found = words(line)
    flags = config_flags(found)
    return [word for word in found if word not in flags]


def exporting(trial: str, allow: Iterable[str], sweep: str | None = None) -> str:
    """allow: what the configs of the sweep may call, which a trial's own folder has no say in."""
    named = ["--sweep", sweep] if sweep else []
    allowing = (word for entry in allow for word in ("--allow", entry))
    return shlex.join(["python", "-m", "sweeper", "export", trial, *named, *allowing])


def going_on(line: str, *settings: str) -> str:
    """A recorded command with these settings, and not with its own of the same kind."""
    own = ("hydra.sweep.dir=", *(f"hydra.sweeper.{key}" for key in ("resume=", "n_trials=", "enqueue=", "confirm")))
    return shlex.join([*(word for word in _split(line) if not word.startswith(own)), *settings])


def ours(line: str) -> Ours | None:
    """None if a recorded command is none of `python -m sweeper`, or finds its configs in yet another way."""
    if not f"{line} ".startswith(("python -m sweeper ", "sweeper ")):
        return None
    folder, rest, left = None, [], iter(words(line))
    for word in left:
        flag, equals, value = word.partition("=")
        if flag in _FOLDER_FLAGS:
            folder = value if equals else next(left, None)
        else:
            rest.append(word)
    return None if config_flags(rest) else Ours(folder, rest)


def git_commit() -> str | None:
    """The commit of the working folder, with '+changes' behind it where files differ from it; None outside of git."""
    head = _git("rev-parse", "HEAD")
    return f"{head}+changes" if head and _git("status", "--porcelain", "--untracked-files=no") else head


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:  # a stranger's journal may hold anything
        return line.split()


def _joined(*parts: Iterable[str]) -> str:
    words = (word.encode(errors="replace").decode() for part in parts for word in part)  # a file name may be no text
    return shlex.join(map(without_credentials, words))


def _program() -> list[str]:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is not None:
        return ["python", "-m", spec.name.removesuffix(".__main__")]
    script = Path(sys.argv[0])
    return ["python", str(script)] if script.suffix == ".py" else [script.name]


def config_flags(arguments: list[str]) -> list[str]:
    """Those words that say where Hydra finds its configs."""
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

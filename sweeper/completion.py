"""What a shell offers behind `sweeper`: Hydra completes overrides, this our commands, their options and sweeps.

`eval "$(sweeper -sc install=bash)"`, or zsh or fish, is Hydra's own; with each press of Tab it asks
`sweeper -sc query=bash`, the line so far in COMP_LINE.
"""

from __future__ import annotations

import os
import re
from argparse import ArgumentParser
from collections.abc import Callable, Collection, Sequence

from sweeper import sweeps

_LINE = "COMP_LINE"


def is_asked(arguments: Sequence[str]) -> bool:
    return _LINE in os.environ and any(argument.startswith("query=") for argument in arguments)


def offer(commands: Collection[str], parser: Callable[[str], ArgumentParser]) -> bool:
    """Prints words, of which the shell takes those that fit; whether Hydra, by COMP_LINE as it is then, has more."""
    line = os.environ[_LINE]
    program, *words = [*line.split(), *([""] if line.endswith(" ") else [])]
    if len(words) < 2:
        print(*(name for name in commands if name.startswith("".join(words))))
        return True
    name, *words = words
    if name not in commands:
        return True
    usage = parser(name).format_usage()
    if "KEY=VALUE" in usage and not words[-1].startswith("-"):
        os.environ[_LINE] = " ".join([program, *words])
        return True
    print(*_behind(usage, words))
    return False


def _behind(usage: str, words: Sequence[str]) -> list[str]:
    """usage: as argparse tells it, which names each option and its choices."""
    option = words[-2] if len(words) > 1 else ""
    if choices := re.search(rf"{re.escape(option)} {{([^}}]*)}}", usage) if option.startswith("--") else None:
        return choices[1].split(",")
    options = re.findall(r"(?<!\w)--[a-z-]+", usage)
    if option == "--sweep" or (option not in options and "[SWEEP]" in usage):
        return [*_names(), *options]
    return ["best", *options] if "[RUN]" in usage and option not in options else options


def _names() -> list[str]:
    return [sweeps.name(folder) for folder in sweeps.all()]

"""What a shell offers behind `sweeper`: Hydra completes overrides, this our commands, their options and sweeps.

`eval "$(sweeper -sc install=bash)"`, or zsh or fish, is Hydra's own; with each press of Tab it asks
`sweeper -sc query=bash`, the line so far in COMP_LINE.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser
from collections.abc import Callable, Collection, Sequence

from sweeper.records import sweeps

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
    asked = parser(name)
    if "KEY=VALUE" in asked.format_usage() and not words[-1].startswith("-"):
        os.environ[_LINE] = " ".join([program, *words])
        return True
    print(*_behind(asked, words))
    return False


def _behind(parser: ArgumentParser, words: Sequence[str]) -> list[str]:
    """What may stand where the last word is."""
    usage, options = parser.format_usage(), parser._option_string_actions  # argparse has no public list of them
    last = next((word for word in reversed(words[:-1]) if word.startswith("--")), None)
    chosen = options.get(last)
    if chosen and chosen.choices:
        return [*map(str, chosen.choices), *options]
    if last == "--sweep" == words[-2]:
        return _names()
    if chosen and chosen.nargs is None and last == words[-2]:  # it takes what only the user knows
        return []
    positional = _names() if "[SWEEP]" in usage else ["best"] if "[RUN]" in usage else []
    return [*positional, *options]


def _names() -> list[str]:
    return [sweeps.name(folder) for folder in sweeps.all()]

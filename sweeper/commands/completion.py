"""What a shell offers behind `sweeper`: Hydra completes overrides, this our commands, their options and sweeps.

`eval "$(sweeper -sc install=bash)"`, or zsh or fish, is Hydra's own; with each press of Tab it asks
`sweeper -sc query=bash`, the line so far in COMP_LINE.
"""

from __future__ import annotations

import os
import sys
from argparse import Action, ArgumentParser
from collections.abc import Callable, Collection, Sequence

from sweeper.config import command
from sweeper.records import sweeps

_LINE = "COMP_LINE"
_OF_HYDRA = (
    "--help",
    "--hydra-help",
    "--version",
    "--multirun",
    "--cfg",
    "--resolve",
    "--package",
    "--info",
    "--config-dir",
    "--config-name",
    "--config-path",
)
_FILES = {"DIR", "IMAGE"}  # metavars of positional arguments that are paths


def is_asked(arguments: Sequence[str]) -> bool:
    return _LINE in os.environ and any(argument.startswith("query=") for argument in arguments)


def offer(commands: Collection[str], parser: Callable[[str], ArgumentParser]) -> bool:
    """Prints words, of which the shell takes those that fit; whether Hydra, by COMP_LINE as it is then, has more."""
    line = os.environ[_LINE]
    program, *words = [*line.split(), *([""] if line.endswith(" ") else [])]
    word = words[-1] if words else ""
    if len(words) < 2 and not word.startswith("-"):
        print(*(name for name in commands if name.startswith(word)))
        return True
    name, *words = words
    if name not in commands:
        return _offer_overrides(program, [name, *words])
    asked = parser(name)
    if any(action.metavar == "KEY=VALUE" for action in _positionals(asked)) and not word.startswith("-"):
        os.environ[_LINE] = " ".join([program, *words])
        return True
    print(*_behind(asked, words))
    return False


def _behind(parser: ArgumentParser, words: Sequence[str]) -> list[str]:
    """What may stand where the last word is."""
    options = parser._option_string_actions  # argparse has no public list of them
    last = next((word for word in reversed(words[:-1]) if word.startswith("--")), None)
    chosen = options.get(last)
    if chosen and chosen.choices:
        return [*map(str, chosen.choices), *options]
    if last == "--sweep" == words[-2]:
        return _names()
    if chosen and chosen.nargs is None and last == words[-2]:  # it takes what only the user knows
        return []
    metavars = {action.metavar for action in _positionals(parser)}
    if metavars & _FILES and not words[-1].startswith("-"):
        return []  # the shell has its own idea of files where nothing is offered
    return [*(_names() if "SWEEP" in metavars else ["best"] if "RUN" in metavars else []), *options]


def _positionals(parser: ArgumentParser) -> list[Action]:
    return [action for action in parser._actions if not action.option_strings]


def _offer_overrides(program: str, words: list[str]) -> bool:
    """As `offer`. Hydra completes overrides alone, and knows of another folder of configs only if it is called so."""
    if words[-1].startswith("-"):
        print(*_OF_HYDRA)
        return False
    flags = command.config_flags(words)
    if words[-1] in flags and "=" not in words[-1]:
        return False  # a folder or a file is typed
    sys.argv += map(os.path.expanduser, flags)
    os.environ[_LINE] = " ".join([program, *(word for word in words if word not in flags and word[:1] != "-")])
    return True


def _names() -> list[str]:
    return [sweeps.name(folder) for folder in sweeps.all()]

"""How values, parameters, durations and reasons read on a terminal, in the leaderboard as in the live progress."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any


def value(number: float) -> str:
    """Four decimals, or four digits where those would say little."""
    return f"{number:.4f}" if number == 0 or 1e-3 <= abs(number) < 1e4 else f"{number:.4g}"


def params(chosen: Mapping[str, Any]) -> str:
    """`lr=0.0021 dropout=0.31`: the `names` of the keys; floats to two digits."""
    return " ".join(f"{name}={digits(choice)}" for name, choice in zip(names(chosen), chosen.values(), strict=True))


def names(keys: Iterable[str]) -> list[str]:
    """The last part of each key, or all of it where two end alike."""
    keys = list(keys)
    short = [key.lstrip("+").rpartition(".")[2] for key in keys]
    counts = Counter(short)
    return [name if counts[name] == 1 else key for name, key in zip(short, keys, strict=True)]


def digits(choice: Any) -> str:
    return f"{choice:.2g}" if isinstance(choice, float) else str(choice)


def printable(words: str) -> str:
    """In one line. What a terminal would obey is spelled out, `\\x1b`: somebody else may have written the words."""
    if words.isprintable():
        return words
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in words)


def error(raised: BaseException, message: str | None = None) -> str:
    """Its class and what it says, if it says anything. message: instead of its own."""
    name, message = type(raised).__name__, str(raised) if message is None else message
    return f"{name}: {message}" if message.strip() else name


def count(number: int, noun: str) -> str:
    """1 trial, 2 trials."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def wrapped(words: str, width: int | None) -> str:
    """In lines of that width, broken between words. None: no terminal, which knows no width.

    A line that begins with a space is a command or a path, to be copied whole; so is a word that is too long.
    """
    if width is None:
        return words
    fill = textwrap.TextWrapper(max(width, 20), break_long_words=False, break_on_hyphens=False).fill
    return "\n".join(line if line.startswith(" ") else fill(line) for line in words.split("\n"))


def without_numbers(reason: str) -> str:
    """For two that differ only in what was drawn to be taken for the same."""
    return re.sub(r"\d+(\.\d+)?(e[+-]?\d+)?", "#", reason)


def size(parameters: int) -> str:
    """309,290 as 309k."""
    for unit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if parameters >= 0.9995 * unit:  # would round to 1000 of the smaller unit
            return f"{parameters / unit:.3g}{suffix}"
    return str(parameters)


def duration(seconds: float) -> str:
    """9.8 s, 1:05 or 2:03:04."""
    return f"{seconds:.1f} s" if seconds < 59.95 else clock(seconds)


def clock(seconds: float) -> str:
    """0:09, 1:05 or 2:03:04."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def first_line(reason: str | None) -> str:
    """Of an error's message, which may go on."""
    return (reason or "").strip().partition("\n")[0]


def pipe(lines: Iterable[str]) -> None:
    """Writes them to stdout. That a reader closes it early is no error."""
    try:
        sys.stdout.writelines(f"{line}\n" for line in lines)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough; without this Python complains again at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

"""A page of one file that needs no network: sections of words, tables, charts, pictures and commands.

Whatever it shows may come from a stranger. So the template escapes all of it and hides credentials, the data of charts
can hold no markup, and the browser is told to run no script but our two.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from sweeper import text
from sweeper.page import script
from sweeper.page.script import TEMPLATES
from sweeper.secret import without_credentials

DIGITS = 7  # of the numbers of a chart
FIRST = 100  # lines of a filtered table, up to which the browser lays it out before the reader asks for all
MARK = '<meta name="generator" content="sweeper report">'  # by it a report knows another one


@dataclass(frozen=True)
class Words:
    kind: ClassVar[str] = "words"
    words: str


@dataclass(frozen=True)
class Cell:
    words: str
    number: float | None = None  # what it sorts by; None: its words
    style: str = ""  # a class of report.css
    colour: str = ""  # a variable of report.css


@dataclass(frozen=True)
class Line:
    cells: Sequence[Cell]
    trial: int | None = None  # whose details a click shows
    style: str = ""  # a class of report.css


@dataclass(frozen=True)
class Table:
    kind: ClassVar[str] = "table"
    caption: str
    head: Sequence[Cell]  # style: `number` for a column of numbers
    lines: Sequence[Line]
    filtered: bool = False  # has a box to filter its lines by


@dataclass(frozen=True)
class Chart:
    kind: ClassVar[str] = "chart"
    label: str  # for who cannot see it
    figure: dict[str, Any]  # Plotly's data and layout; a colour may be a variable of report.css
    height: int = 320  # pixels
    caption: str = ""


@dataclass(frozen=True)
class Parallel:
    kind: ClassVar[str] = "parallel"
    label: str
    figure: dict[str, Any]  # see sweeper.parallel


@dataclass(frozen=True)
class Picture:
    kind: ClassVar[str] = "picture"
    label: str
    png: bytes

    @property
    def address(self) -> str:
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


@dataclass(frozen=True)
class Command:
    kind: ClassVar[str] = "command"
    does: str
    line: str


@dataclass(frozen=True)
class Grid:
    """As many beside each other as the window is wide."""

    kind: ClassVar[str] = "grid"
    blocks: Sequence[Any]
    wide: bool = False  # two at most


@dataclass(frozen=True)
class Panel:
    """Can be folded."""

    kind: ClassVar[str] = "panel"
    title: str
    blocks: Sequence[Any]
    open: bool = True


@dataclass(frozen=True)
class Section:
    id: str
    title: str
    blocks: Sequence[Any]
    lead: str = ""  # a sentence below the title


@dataclass(frozen=True)
class Tile:
    """A figure of the head."""

    title: str
    words: str
    note: str = ""


@dataclass(frozen=True)
class Head:
    title: str
    state: str
    colour: str  # a variable of report.css
    facts: Sequence[str]
    tiles: Sequence[Tile]
    shares: Sequence[tuple[str, int, str]] = ()  # trials by state, how many, colour
    notes: Sequence[str] = ()  # what the reader must know first


def render(head: Head, sections: Sequence[Section], details: dict[int, Any]) -> str:
    """details: by trial, what a click on its line shows."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    scripts = script.both()
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["embedded"] = lambda value: Markup(embedded(value))
    return templates.get_template("report.html").render(
        mark=Markup(MARK),
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        scripts=[Markup(words) for words in scripts],
        hashes=" ".join(map(script.digest, scripts)),
        first=FIRST,
        head=head,
        sections=sections,
        details=details,
    )


def embedded(value: Any) -> str:
    """JSON for a script element: no text in it can end that element, and what is not finite is null."""
    return json.dumps(_plain(value), separators=(",", ":")).replace("<", "\\u003c")


def _plain(value: Any) -> Any:
    match value:
        case str():
            return without_credentials(value)
        case float():
            return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
        case dict():
            return {str(key): _plain(part) for key, part in value.items()}
        case list() | tuple():
            return [_plain(part) for part in value]
    return value


def _shown(value: Any) -> Any:
    """What the template puts in. Control characters are spelled out, as on a terminal; lines stay lines."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return "" if value is None else value
    return "\n".join(map(text.printable, without_credentials(value).split("\n")))

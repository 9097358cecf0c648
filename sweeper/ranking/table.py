"""Ranked trials as a table that fits the terminal: the leaderboard's, and that at the end of a sweep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sweeper import text
from sweeper.ranking.standings import Row, Standing

GAP = 2  # spaces between columns


@dataclass(frozen=True)
class Column:
    title: str
    cell: Callable[[Row], str]
    importance: int  # 0 is always shown; of the others a narrow terminal shows the lower ones first
    justify: str = "right"


TRIAL = Column("trial", lambda row: row.name, 0, "left")
FRONT = Column("*", lambda row: "*" if row.rank == 1 else "", 0)  # only where there are several objectives
PARAMS = Column("params", lambda row: text.params(row.trial.params), 0, "left")
STATE = Column("state", lambda row: row.state, 2, "left")
COLUMNS = (
    Column("", lambda row: str(row.rank or "-"), 0),
    FRONT,
    TRIAL,
    Column("model", lambda row: row.model, 0, "left"),
    Column("value", lambda row: " ".join(text.value(value) for value in row.trial.values or ()), 0),
    PARAMS,
    Column("epochs", lambda row: str(row.trial.facts.get("epochs", "")), 3),
    Column("size", lambda row: _size(row.trial.facts.get("parameters")), 4),
    Column("time", lambda row: text.duration(row.trial.seconds), 1),
    STATE,
    Column("run", lambda row: (row.trial.run_id or "")[:8], 5, "left"),
)


def show(standing: Standing, top: int, console: Console) -> None:
    """Prints the first rows as a table that fits the terminal, and how many trials there are in each state.

    top: the number of rows, 0 for all.
    """
    rows = standing.rows[: top or None]
    owners = {row.sweep for row in rows}
    title = f"{standing.title}, sweep {owners.pop()}" if len(owners) == 1 else standing.title
    console.print(Text(text.printable(title), style="bold"))
    console.print(table(rows, console.width))
    hidden = f" ({top} rows shown)" if 0 < top < len(standing.rows) else ""
    console.print(Text(f"{standing.counts}{hidden}\n", style="dim"))


def table(rows: tuple[Row, ...], width: int) -> Table:
    """The columns that fit into `width` characters; where even the first ones do not, the parameters are cut short."""
    several = any(len(row.trial.values or ()) > 1 for row in rows)
    columns = (column for column in COLUMNS if several or column is not FRONT)
    cells = {column: [text.printable(column.cell(row)) for row in rows] for column in columns}
    if len({row.sweep for row in rows}) == 1:
        cells[TRIAL] = [str(row.trial.number) for row in rows]
    grid = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
    shown = _fitting(cells, width)
    taken = sum(_width(column, cells[column]) + GAP for column in shown if column is not PARAMS)
    for column in shown:
        most = max(len(PARAMS.title), width - taken) if column is PARAMS else None
        grid.add_column(column.title, justify=column.justify, no_wrap=True, overflow="ellipsis", max_width=most)
    for row, line in zip(rows, zip(*(cells[column] for column in shown), strict=True), strict=True):
        styles = (row.colour if column is STATE else "" for column in shown)
        grid.add_row(*map(Text, line, styles))
    return grid


def _fitting(cells: dict[Column, list[str]], width: int) -> list[Column]:
    """All columns of importance 0, and of the others, the lower ones first, those that have room beside them."""
    shown = [column for column in cells if column.importance == 0]
    room = width - sum(_width(column, cells[column]) + GAP for column in shown) + GAP
    for column in sorted(set(cells) - set(shown), key=lambda column: column.importance):
        needed = _width(column, cells[column]) + GAP
        if needed <= room:
            shown.append(column)
            room -= needed
    return [column for column in cells if column in shown]


def _width(column: Column, cells: list[str]) -> int:
    return max(len(cell) for cell in (column.title, *cells))


def _size(parameters: Any) -> str:
    return text.size(parameters) if isinstance(parameters, int | float) else ""

"""`python -m sweeper leaderboard`: the best trials of all sweeps on the disk, from their journals alone."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sweeper import record, standings, states, sweeps, text
from sweeper.errors import ConfigError, DataError
from sweeper.record import Sweep
from sweeper.standings import Row, Standing

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


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        "Ranks the trials below multirun/ and outputs/, one table for each data set and metric. When piped: a trial a "
        "line, tab-separated, full precision: rank, trial, dataset, metric, value, params, model, epochs, size, "
        "seconds, state, run ID."
    )
    parser.add_argument("--sweep", metavar="ID", help="only this sweep: the name of its folder, or a path")
    parser.add_argument("--top", metavar="N", type=int, default=20, help="rows a table, 0 for all (default: 20)")
    parser.add_argument("--csv", metavar="FILE", type=Path, help="also write all trials with all columns to FILE")


def run(args: Namespace) -> int:
    """Raises: ConfigError if there is no sweep, or no such sweep."""
    if args.top < 0:
        raise ConfigError(f"--top {args.top}: give the number of rows, or 0 for all.")
    found = standings.of([sweeps.find(args.sweep)] if args.sweep else _readable())
    if args.csv:
        _write_csv(args.csv, found)
    console = Console(highlight=False)
    if console.is_terminal:
        for standing in found:
            show(standing, args.top, console)
    else:
        _pipe(_line(standing, row) for standing in found for row in standing.rows[: args.top or None])
    return 0


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
        styles = (states.colour(row.trial.state) if column is STATE else "" for column in shown)
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


def _pipe(lines: Iterable[str]) -> None:
    try:
        sys.stdout.writelines(f"{line}\n" for line in lines)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough; without this Python complains again at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _line(standing: Standing, row: Row) -> str:
    trial = row.trial
    return "\t".join(
        text.printable(str("" if cell is None else cell))
        for cell in (
            row.rank,
            row.name,
            standing.dataset,
            standing.metric,
            " ".join(map(str, trial.values or ())),
            " ".join(f"{key}={choice}" for key, choice in trial.params.items()),
            row.model,
            trial.facts.get("epochs"),
            trial.facts.get("parameters"),
            round(trial.seconds, 3),
            trial.state,
            trial.run_id and trial.run_id[:8],
        )
    )


def _readable() -> Iterator[Sweep]:
    """Every sweep on the disk. A damaged one costs a warning, not the leaderboard."""
    folders = sweeps.all()
    if not folders:
        raise ConfigError(sweeps.nothing_found(Path(".")))
    for folder in folders:
        try:
            yield record.read(folder, curves=False)
        except DataError as error:
            print(f"Left out: {error}", file=sys.stderr)


def _write_csv(path: Path, found: list[Standing]) -> None:
    try:
        standings.write_csv(path, found)
    except OSError as error:
        raise ConfigError(f"--csv {path}: {error.strerror}. Give a file in a folder that exists.") from None

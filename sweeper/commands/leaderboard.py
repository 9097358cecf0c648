"""`python -m sweeper leaderboard`: the best trials of all sweeps on the disk, from their journals alone."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from sweeper import text
from sweeper.errors import ConfigError, DataError
from sweeper.ranking import standings, table
from sweeper.ranking.standings import Row, Standing
from sweeper.records import record, sweeps
from sweeper.records.record import Sweep


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
    if not found:
        print(_nothing(args.sweep), file=sys.stderr)
    console = Console(highlight=False)
    if console.is_terminal:
        for standing in found:
            table.show(standing, args.top, console)
    else:
        text.pipe(_line(standing, row) for standing in found for row in standing.rows[: args.top or None])
    return 0


def _nothing(sweep: str | None) -> str:
    """Why there is no trial, where that is known."""
    if sweep is None:
        return "No trial has begun in any of the sweeps here."
    name, ended = text.printable(sweep), sweeps.find(sweep).ended
    reason = f": {ended.reason}" if ended and ended.reason else "."
    return "\n".join(map(text.printable, f"No trial has begun in {name}{reason}".split("\n")))


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

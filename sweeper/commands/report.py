"""`python -m sweeper report`: a sweep as one page for the browser, that needs neither network nor server."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from sweeper.errors import ConfigError
from sweeper.page import board, failures, head, page, retrace, schedule, sections, seen
from sweeper.page.seen import Seen
from sweeper.records import sweeps

NAME = "report.html"


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        "Writes a sweep, or a single training, as one page for the browser: leaderboard, history, the best of each "
        "size, importance of the parameters, learning curves, the best network, failures and commands. It needs no "
        "network."
    )
    parser.add_argument("--sweep", metavar="ID", help="the name of its folder, or a path (default: the latest one)")
    parser.add_argument("--out", metavar="FILE", type=Path, help=f"default: {NAME} in the folder of the sweep")


def run(args: Namespace) -> int:
    """Raises: ConfigError if there is no such sweep or the page cannot be written, DataError if it is damaged."""
    folder = sweeps.locate(args.sweep)
    out = args.out or folder / NAME
    _check_ours(out)
    found = seen.look(folder)
    _write(out, html(found))
    trials = len(found.sweep.trials)
    print(f"{trials:,} trial{'' if trials == 1 else 's'} of {found.sweep.id} -> {out}")
    return 0


def html(found: Seen) -> str:
    shown = [section for make in _order() if (section := make(found)) is not None]
    details = {row.trial.number: asdict(board.details(row)) for row in found.rows}
    return page.render(head.of(found, datetime.now()), shown, details)


def _order() -> tuple[sections.Make, ...]:
    """A section more is a line here, and a function that makes it."""
    from sweeper.page import sizes, tested  # NumPy

    return (
        sections.leaderboard,
        sections.history,
        sections.front,
        sizes.section,
        schedule.section,
        sections.importance,
        sections.coordinates,
        sections.slices,
        sections.learning,
        tested.section,
        failures.section,
        retrace.section,
    )


def _check_ours(out: Path) -> None:
    """Raises: ConfigError if something else lies there: only a report is written over."""
    if out.is_dir():
        raise ConfigError(f"--out {out} is a folder. Give a file in it: --out {out / NAME}")
    if out.is_symlink() or (out.exists() and not _is_report(out)):
        raise ConfigError(f"--out {out} is there already, and is no report. Move it away, or give another file.")


def _is_report(path: Path) -> bool:
    if not path.is_file():  # to open a pipe would wait for ever
        return False
    with open(path, encoding="utf-8", errors="replace") as file:
        return page.MARK in file.read(2000)


def _write(out: Path, words: str) -> None:
    try:
        out.write_text(words, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--out {out}: {error.strerror}. Give a file in a folder that can be written.") from None

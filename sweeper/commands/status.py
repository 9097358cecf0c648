"""`python -m sweeper status`: a sweep as its own terminal shows it, from any other one."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from contextlib import closing
from pathlib import Path

from rich.console import Console

from sweeper.engine.progress import Progress
from sweeper.ranking import results
from sweeper.records import journal, record, sweeps
from sweeper.records.events import SweepStarted
from sweeper.records.record import Sweep
from sweeper.records.states import label


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        "Follows a sweep, or a training, until it ends; Ctrl-C leaves it alone. When piped: a line a trial that ends."
    )
    parser.add_argument(
        "sweep",
        metavar="SWEEP",
        nargs="?",
        help="its folder's name or path (default: the one that runs, or else ran last)",
    )
    parser.add_argument("--once", action="store_true", help="shows it as it is now, and ends")


def run(args: Namespace) -> int:
    """Raises: ConfigError if there is no such sweep, DataError if its journal is damaged."""
    folder = sweeps.locate(args.sweep) if args.sweep else sweeps.running() or sweeps.locate(None)
    console = Console(highlight=False)
    try:
        _show(folder, args.once, console)
    except KeyboardInterrupt:
        return 0
    if not journal.in_use(folder):
        ended = record.read(folder, curves=False)
        results.paragraph(_ending(ended), console, "bold")
        results.summary(ended, console)
    return 0


def _show(folder: Path, once: bool, console: Console) -> None:
    """As the sweep's own terminal does, with what happened before it was resumed for the last time."""
    started = record.read(folder, curves=False).started
    progress = Progress(
        started.n_trials, started.metric, started.directions, slots=None, began=started.time, console=console
    )
    with closing(progress):
        for event in journal.read(folder) if once else journal.follow(folder):
            if not isinstance(event, SweepStarted) or event == started:
                progress.write(event)
        if once and not console.is_terminal and journal.in_use(folder):
            progress.show()


def _ending(sweep: Sweep) -> str:
    if sweep.ended is None:
        return "Nobody runs it any more: its process was lost."
    state, reason = label(sweep.ended.state), (sweep.ended.reason or "").strip()
    return f"It is over, {state}: {reason}" if reason else f"It is over, {state}."

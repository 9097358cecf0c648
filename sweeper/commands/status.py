"""`python -m sweeper status`: a sweep as its own terminal shows it, from any other one."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.text import Text

from sweeper import text
from sweeper.engine.progress import Progress
from sweeper.ranking import results
from sweeper.records import journal, record, sweeps
from sweeper.records.events import Event, SweepStarted
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
        _show(folder, journal.read(folder) if args.once else journal.follow(folder), console)
    except KeyboardInterrupt:
        return 0
    if not journal.in_use(folder):
        ended = record.read(folder, curves=False)
        console.print(Text(text.printable(_ending(ended)), "bold"), soft_wrap=True)
        results.summary(ended, console)
    return 0


def _show(folder: Path, events: Iterable[Event], console: Console) -> None:
    """As the sweep's own terminal does, with what happened before it was resumed for the last time."""
    started = record.read(folder, curves=False).started
    progress = Progress(
        started.n_trials, started.metric, started.directions, slots=None, began=started.time, console=console
    )
    with closing(progress):
        for event in events:
            if not isinstance(event, SweepStarted) or event == started:
                progress.write(event)


def _ending(sweep: Sweep) -> str:
    if sweep.ended is None:
        return "Nobody runs it any more: its process was lost."
    reason = f": {text.first_line(sweep.ended.reason)}" if sweep.ended.reason else ""
    return f"It is over, {label(sweep.ended.state)}{reason}."

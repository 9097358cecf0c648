"""`python -m sweeper stop`: ends a sweep as Ctrl-C in its terminal would, from any other one."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from pathlib import Path

from rich.console import Console
from rich.text import Text

from sweeper import text
from sweeper.engine import stopping
from sweeper.errors import ConfigError
from sweeper.ranking import results
from sweeper.records import journal, record, sweeps

_PAUSE = 0.2  # seconds between two looks whether it has ended
_PATIENCE = 120.0  # seconds: a slot may be in the middle of a long epoch when MLflow is slow as well


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        "Ends a sweep, or a training, that runs on any machine that shares its folder: all that was told is saved, and "
        "what it leaves open can go on later. Waits until it has ended."
    )
    parser.add_argument(
        "sweep", metavar="SWEEP", nargs="?", help="its folder's name or path (default: the one that runs)"
    )


def run(args: Namespace) -> int:
    """Exit code 1: it has not ended in time. Raises: ConfigError if no such sweep runs."""
    folder = _running(args.sweep)
    try:
        stopping.request(folder)
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror}. Stop it as the user who started it.") from error
    name = text.printable(sweeps.name(folder))
    console = Console(highlight=False)
    with console.status(f"{name} is asked to stop"):
        ended = _has_ended(folder)
    if not ended:
        console.print(
            f"{name} has not ended {_PATIENCE:.0f} s after it was asked to. See: python -m sweeper status {name}"
        )
        return 1
    sweep = record.read(folder, curves=False)
    ended = len(sweep.trials) - len(sweep.open)
    done = f"{ended} of {text.count(sweep.started.n_trials, 'trial')}"
    results.paragraph(f"{name} has ended after {done}. Go on with it:", console)
    console.print(Text(f"  {text.printable(results.resuming(sweep))}"), soft_wrap=True)
    return 0


def _running(sweep: str | None) -> Path:
    folder = sweeps.locate(sweep) if sweep else sweeps.running()
    if folder is None:
        raise ConfigError("No sweep runs in this folder. Go to the folder that it was started in, or name its own.")
    if not journal.in_use(folder):
        raise ConfigError(f"{folder} does not run. See how it ended: python -m sweeper status {sweeps.name(folder)}")
    return folder


def _has_ended(folder: Path) -> bool:
    deadline = time.monotonic() + _PATIENCE
    while journal.in_use(folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True

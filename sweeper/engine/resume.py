"""Going on with a sweep that ended early: which one, and whether it is the one that the command line describes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sweeper.errors import ConfigError
from sweeper.records import lineage, record, sweeps
from sweeper.records.events import SweepStarted
from sweeper.records.record import Sweep

LATEST = "latest"


def find(wanted: str) -> Path:
    """The folder that `hydra.sweeper.resume` names: an ID, a path, or the latest sweep. Raises: ConfigError if none."""
    if wanted != LATEST:
        return sweeps.locate(wanted).absolute()
    for folder in sweeps.all():
        if folder.parts[0] == sweeps.TOPS[0]:
            return folder.absolute()
    raise ConfigError(sweeps.nothing_found(Path(".")))


def earlier(folder: Path, started: SweepStarted, *, confirms: bool = False) -> Sweep:
    """What the sessions before did, in the folder that this process holds.

    started: how the present command begins it again. confirms: it need not have anything left to search.
    Raises: ConfigError if it began otherwise or has nothing left to do, DataError if its journal is damaged.
    """
    sweep = record.read(folder, curves=False)
    _check_same(sweep.started, started, folder)
    if is_done(sweep, started.n_trials) and not confirms:
        raise ConfigError(f"hydra.sweeper.resume={folder}: it has all its {_advice(sweep)}")
    return sweep


def is_done(sweep: Sweep, n_trials: int) -> bool:
    """Whether nothing is to be searched any more, as with n_trials=0."""
    ended = sweep.ended is not None and sweep.ended.state == "FINISHED"
    return n_trials == 0 or (ended and len(sweep.trials) >= n_trials and not sweep.open)


def _advice(sweep: Sweep) -> str:
    """How many trials it has, and how to go beyond them."""
    count = f"{len(sweep.trials)} trials. "
    if lineage.is_population(sweep):
        return f"{count}Its population is complete. For a new one that begins with its best: {_enqueued(sweep.folder)}"
    return f"{count}Give more: hydra.sweeper.n_trials={2 * len(sweep.trials)} is the total."


def _enqueued(folder: Path) -> str:
    return f"hydra.sweeper.enqueue={sweeps.name(folder)}"


def _check_same(then: SweepStarted, now: SweepStarted, folder: Path) -> None:
    for name, old, new in (
        ("direction", then.directions, now.directions),
        ("metric", (then.metric,), (now.metric,)),
        ("command line", then.arguments, now.arguments),
    ):
        if set(old) != set(new):
            raise ConfigError(
                f"hydra.sweeper.resume={folder}: the {name} has changed{_difference(old, new)}. Give the same as then "
                f"(only hydra.… may differ): {then.command}\n"
                f"For a new sweep that begins with the trials of this one: {_enqueued(folder)}"
            )


def _difference(old: Sequence[str], new: Sequence[str]) -> str:
    lost, added = (" ".join(sorted(set(a) - set(b))) for a, b in ((old, new), (new, old)))
    return f", from {lost or 'nothing'} to {added or 'nothing'}"

"""A sweep and its trials as the journal tells them: what the leaderboard ranks and the exporter looks up."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from sweeper.errors import DataError
from sweeper.records import journal, jsonl, pareto
from sweeper.records.events import (
    EpochReported,
    Event,
    Metrics,
    SweepEnded,
    SweepStarted,
    TrialEnded,
    TrialStarted,
    TrialTested,
)
from sweeper.records.states import OPEN, State

CONFIG = "config.yaml"  # in a trial's folder: its config, resolved
HYDRA = ".hydra/hydra.yaml"  # there too: Hydra's own settings, those of the sweep among them
MODEL = "model.keras"  # there too: the network of its best epoch
PICTURES = "pictures"  # there too, of the best trial: what its network does on the test images
CONFIRMATION = "confirmation"  # .csv, .yaml and .png: what a confirmation leaves in its folder
DUPLICATE_OF = "duplicate_of"  # the fact of a trial that was not trained: the one whose values it has
RUNS = "mlflow.jsonl"  # a Run a line
CONFIRM = "confirm"  # in a sweep's folder: where the records of its confirmation lie, like those of another sweep


@dataclass(frozen=True)
class Run:
    """A line of RUNS."""

    trial: int | None  # None: the sweep itself
    run_id: str
    attempt: int = 0
    mirrored: float | None = None  # the time of an event: MLflow has the run up to it


@dataclass(frozen=True)
class Trial:
    number: int
    params: dict[str, Any]
    command: str
    folder: Path
    state: State | Literal["RUNNING"] = "RUNNING"
    values: tuple[float, ...] | None = None
    reason: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    curve: tuple[tuple[int, float, Metrics], ...] = ()  # (epoch, value, metrics)
    started: float = 0.0  # seconds since 1970
    attempt: int = 0  # the last one
    seconds: float = 0.0  # of it
    run_id: str | None = None  # MLflow's
    tested: TrialTested | None = None  # only the best trial of a sweep is
    subdir: str = "."  # the folder as the journal has it, relative to the sweep's
    missed: dict[str, float] = field(default_factory=dict)  # constraint -> how far beyond its bound; empty: feasible

    @property
    def duplicate_of(self) -> int | None:
        return self.facts.get(DUPLICATE_OF)

    def number_of(self, fact: str) -> float | None:
        """What it told of a fact; None where that is nothing, or no finite number."""
        told = self.facts.get(fact)
        is_number = isinstance(told, int | float) and not isinstance(told, bool) and math.isfinite(told)
        return float(told) if is_number else None

    @property
    def model(self) -> Path:
        """The trained network. Only the best few of a sweep are kept."""
        return self.folder / MODEL


@dataclass(frozen=True)
class Sweep:
    folder: Path
    started: SweepStarted
    trials: tuple[Trial, ...]
    ended: SweepEnded | None = None
    run_id: str | None = None

    @property
    def id(self) -> str:
        return id_of(self.folder)

    @property
    def is_single(self) -> bool:
        """One training without a sweep."""
        return self.started.n_trials == 1 and all(trial.subdir == "." for trial in self.trials)

    @property
    def finished(self) -> list[Trial]:
        return [trial for trial in self.trials if trial.state == "FINISHED"]

    @property
    def _trained(self) -> list[Trial]:
        return [trial for trial in self.finished if trial.duplicate_of is None]

    @property
    def open(self) -> list[Trial]:
        """What a resumed sweep goes on with."""
        return [trial for trial in self.trials if trial.state in OPEN]

    @property
    def goes_on(self) -> bool:
        """Whether it would train more if it were resumed. Of a shared study it trains only a part of n_trials."""
        is_done = self.ended is not None and self.ended.state == "FINISHED" and self.ended.reason is None
        return bool(self.open) or (len(self.trials) < self.started.n_trials and not is_done)

    def ranked(self) -> list[Trial]:
        """Those that were trained to their end, best first: feasible ones before others, front by front where there are
        several objectives, and in a front by the first one."""
        trained, directions = self._trained, self.started.directions
        places = zip(ranks(trained, directions), trained, strict=True)
        ordered = sorted(places, key=lambda place: (place[0], losses(place[1].values, directions), place[1].number))
        return [trial for _, trial in ordered]

    @property
    def best(self) -> Trial | None:
        """The first of `ranked`; None where no trial finished."""
        return next(iter(self.ranked()), None)

    def pareto_front(self) -> list[Trial]:
        """The feasible ones of `ranked` that no other beats in every objective, by number."""
        feasible = [trial for trial in self._trained if not trial.missed]
        places = zip(ranks(feasible, self.started.directions), feasible, strict=True)
        return [trial for rank, trial in places if rank == 1]


def losses(values: Iterable[float], directions: Iterable[str]) -> tuple[float, ...]:
    """The values turned so that less is better in each; what is not a number is worst."""
    turned = (
        -value if direction == "maximize" else value for value, direction in zip(values, directions, strict=False)
    )
    return tuple(math.inf if math.isnan(loss) else loss for loss in turned)


def ranks(finished: Sequence[Trial], directions: tuple[str, ...]) -> list[int]:
    """See `pareto.ranks`. What misses several constraints misses their sum, as in Optuna."""
    return pareto.ranks(
        [pareto.Point(losses(trial.values, directions), sum(trial.missed.values())) for trial in finished]
    )


def read(folder: Path, *, curves: bool = True) -> Sweep:
    """The sweep of a folder; without `curves` ten times faster. What no process runs any more counts as INTERRUPTED.

    Raises: FileNotFoundError if the folder holds no journal, DataError if the journal is damaged or holds no sweep.
    """
    sweep = replay(folder, journal.read(folder, epochs=curves))
    if any(trial.state == "RUNNING" for trial in sweep.trials) and not journal.in_use(folder):
        trials = (replace(trial, state="INTERRUPTED") if trial.state == "RUNNING" else trial for trial in sweep.trials)
        return replace(sweep, trials=tuple(trials))
    return sweep


def confirmation(sweep: Path) -> Sweep | None:
    """That of the sweep in this folder, as far as it has come; None where none has begun. Raises: as `read`."""
    path = sweep / CONFIRM / journal.NAME
    begun = path.is_file() and next(jsonl.lines(path), None) is not None
    return read(path.parent, curves=False) if begun else None


def replay(folder: Path, events: Iterable[Event]) -> Sweep:
    """The state of a sweep after these events. A trial that starts again leaves its earlier attempt behind.

    Raises: DataError if no sweep starts in them, or a trial does not fit it.
    """
    sweep, sweep_end = None, None
    starts, ends, tests, curves, times = {}, {}, {}, {}, {}  # each by trial number; times: of the trial's last event
    for event in events:
        match event:
            case EpochReported():
                curves.setdefault(event.trial, []).append((event.epoch, event.value, event.metrics))
                times[event.trial] = event.time
            case TrialStarted():
                starts[event.trial], curves[event.trial], times[event.trial] = event, [], event.time
                ends.pop(event.trial, None)
            case TrialEnded():
                ends[event.trial], times[event.trial] = event, event.time
            case TrialTested():
                tests[event.trial] = event
            case SweepStarted():
                sweep, sweep_end = event, None
            case SweepEnded():
                sweep_end = event
    if sweep is None:
        raise DataError(f"{folder / journal.NAME} holds no sweep yet: its first line should be a SweepStarted event.")
    runs = run_ids(folder)
    trials = (
        _trial(folder, start, ends.get(number), curves[number], times[number], runs.get(number), tests.get(number))
        for number, start in sorted(starts.items())
    )
    found = Sweep(folder, sweep, tuple(trials), sweep_end, runs.get(None))
    for trial in found.trials:
        wanted = trial.state == "FINISHED" or trial.values is not None
        if wanted and len(trial.values or ()) != len(sweep.directions):
            raise DataError(
                f"{folder / journal.NAME}: trial {trial.number} has the values {trial.values} for {sweep.directions}. "
                "Delete its lines."
            )
    return found


def id_of(folder: Path) -> str:
    """What people call the sweep in it: the folder's name; monday/confirm for the confirmation of monday."""
    folder = folder.absolute()
    return f"{folder.parent.name}/{folder.name}" if is_confirmation(folder) else folder.name


def is_confirmation(folder: Path) -> bool:
    """Whether it lies in the folder of the sweep that it confirms."""
    return folder.name == CONFIRM and (folder.parent / journal.NAME).is_file()


def inside(path: str, what: str) -> str:
    """`path` if it stays in the folder that it is relative to. Raises: DataError if it leads out of it."""
    if os.path.isabs(path) or ".." in path.split(os.sep) or "\0" in path:
        raise DataError(f"{what} is {path!r}, outside of the sweep's. Nothing there is touched: give one inside.")
    return path


def _trial(
    folder: Path,
    start: TrialStarted,
    end: TrialEnded | None,
    curve: list,
    last: float,
    run_id: str | None,
    tested: TrialTested | None,
) -> Trial:
    ended = end and {
        "state": end.state,
        "values": end.values,
        "reason": end.reason,
        "facts": end.facts,
        "missed": end.missed,
    }
    return Trial(
        start.trial,
        start.params,
        start.command,
        folder / inside(start.folder, f"The folder of trial {start.trial} in {journal.NAME}"),
        curve=tuple(curve),
        started=start.time,
        attempt=start.attempt,
        seconds=last - start.time,
        run_id=run_id,
        subdir=start.folder,
        tested=tested,
        **(ended or {}),
    )


def run_ids(folder: Path) -> dict[int | None, str]:
    """MLflow's run of the last attempt of each trial; the sweep's own under None. Empty where nothing was mirrored."""
    runs = sorted(jsonl.rows(folder / RUNS, Run), key=lambda run: run.attempt)
    return {run.trial: run.run_id for run in runs}

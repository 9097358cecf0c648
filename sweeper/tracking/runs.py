"""A sweep as MLflow shows it: a run for the sweep and, nested in it, one for each attempt of a trial.

In a population the run of a segment is nested in that of the segment which it goes on from.

What is written follows from the events and the ledger alone, and writing it again changes nothing: an event that failed
half-way is repeated, and a journal can be replayed into a store that has part of it. A run gets its last status when
all the rest is there; then the ledger says so, and a replay leaves it alone.
"""

from __future__ import annotations

import getpass
import logging
import os
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.errors import DataError
from sweeper.ranking import results
from sweeper.records import journal, lineage, plain, record
from sweeper.records.events import EpochReported, Event, SweepEnded, SweepStarted, TrialEnded, TrialStarted, TrialTested
from sweeper.records.lineage import Place
from sweeper.tracking.run_store import FOLDER, ROOT, RunStore, metrics
from sweeper.training import objectives

if TYPE_CHECKING:
    from mlflow.entities import Metric

RESULTS = (  # in the sweep's folder
    results.LEADERBOARD,
    results.RESULTS,
    f"{record.CONFIRMATION}.csv",
    f"{record.CONFIRMATION}.yaml",
    journal.NAME,
)
PICTURES = (results.PARETO, results.SCHEDULE, f"{record.CONFIRMATION}.png")
STATUS = {  # MLflow's word for a state; the tag sweeper.state has the exact one
    "FINISHED": "FINISHED",
    "PRUNED": "KILLED",
    "INTERRUPTED": "KILLED",
    "TAKEN_OVER": "KILLED",
    "FAILED": "FAILED",
    "DIVERGED": "FAILED",
    "OUT_OF_MEMORY": "FAILED",
    "HUNG": "FAILED",
    "KILLED": "FAILED",
    "CRASHED": "FAILED",
}
LOST = {"sweeper.state": "INTERRUPTED", "sweeper.reason": "the sweep ended before the trial did"}

_log = logging.getLogger(__name__)


@dataclass
class _Attempt:
    number: int
    run_id: str
    folder: Path
    whole: bool  # an earlier session has written it to its end
    ended: bool = False
    unsent: list[Metric] = field(default_factory=list)


class Runs:
    """Writes the events of one sweep, synchronously. An epoch's metrics wait for `flush` or the end of their trial."""

    def __init__(self, store: RunStore, folder: Path, *, system_metrics: bool = False, live: bool = True):
        """live: the sweep runs now, whatever MLflow has of an earlier session."""
        self._store, self._ledger, self._folder = store, store.ledger, folder
        self._system_metrics, self._live = system_metrics, live
        self._attempts: dict[int, _Attempt] = {}  # the last one of each trial
        self._segments: dict[tuple[int, int], str] = {}  # of a population by member and segment: run IDs
        self._sweep: SweepStarted
        self._parent: str  # the sweep's run

    def write(self, event: Event) -> None:
        """Raises: MlflowException or OSError as the store does; the same event may then be written again."""
        match event:
            case SweepStarted():
                self._start_sweep(event)
            case TrialStarted():
                self._start_trial(event)
            case EpochReported():
                values = {objectives.of_epochs(self._sweep.metric.split(",")): event.value} | event.metrics
                self._attempts[event.trial].unsent += metrics(values, event.time, step=event.epoch)
            case TrialEnded():
                self._end_trial(event)
            case TrialTested():
                self._log_test(event)
            case SweepEnded():
                self._end_sweep(event)

    def lacks_epochs(self, trial: int) -> bool:
        """Of its last attempt. False too for a trial that MLflow refused."""
        return trial in self._attempts and not self._attempts[trial].whole

    def unsent(self) -> list[int]:
        """The trials with metrics that wait."""
        return [trial for trial, attempt in self._attempts.items() if attempt.unsent]

    def flush(self, trial: int) -> None:
        attempt = self._attempts[trial]
        self._store.log(attempt.run_id, metrics=attempt.unsent)
        attempt.unsent = []

    def _start_sweep(self, event: SweepStarted) -> None:
        self._sweep = event
        tags = {FOLDER: str(self._folder.absolute())} | self._tags(event.command)
        self._parent = self._store.open(None, 0, event.sweep, event.time, tags, again=self._live)
        params = {"n_trials": event.n_trials, "metric": event.metric, "directions": event.directions}
        self._store.log(self._parent, params=params)
        if self._system_metrics:
            self._store.watch_machine(self._parent)
            self._system_metrics = False  # until the process ends

    def _start_trial(self, event: TrialStarted) -> None:
        earlier = self._attempts.get(event.trial)
        if earlier and earlier.number < event.attempt:
            self._close(event.trial, event.time)
        whole = self._ledger.has(event.trial, event.attempt)
        run_id = self._ledger.get(event.trial, event.attempt) if whole else self._open(event)
        self._attempts[event.trial] = _Attempt(event.attempt, run_id, self._folder / event.folder, whole)
        place = lineage.of(event.params)
        if place:
            self._segments[place.member, place.segment] = run_id

    def _open(self, event: TrialStarted) -> str:
        tags = {
            "mlflow.parentRunId": self._parent,
            "sweeper.trial": event.trial,
            "sweeper.attempt": event.attempt,
        } | self._tags(event.command)
        retry = f" retry {event.attempt}" if event.attempt else ""
        name = f"trial {event.trial}{retry} of {self._sweep.sweep}"  # narrow columns show its beginning
        place = lineage.of(event.params)
        if place:
            name = f"member {place.member} segment {place.segment}, {name}"
            tags |= self._lineage(place)
        run_id = self._store.open(event.trial, event.attempt, name, event.time, tags)
        self._store.log(run_id, params=event.params)
        return run_id

    def _lineage(self, place: Place) -> dict[str, Any]:
        """The tags of a segment, whose run is nested in that of the segment which it goes on from."""
        tags = {"sweeper.member": place.member, "sweeper.segment": place.segment, ROOT: self._parent}
        if place.before not in self._segments:
            return tags
        return tags | {"sweeper.parent": place.parent, "mlflow.parentRunId": self._segments[place.before]}

    def _end_trial(self, event: TrialEnded) -> None:
        attempt = self._attempts[event.trial]
        if not self._ledger.has(event.trial, attempt.number, event.time):
            config = _config(attempt.folder)
            self._store.log(
                attempt.run_id,
                metrics=attempt.unsent + metrics(_objectives(event.values) | _numbers(event.facts), event.time),
                params={key: fact for key, fact in event.facts.items() if isinstance(fact, str)}
                | dict(plain.leaves(config)),
                tags=_outcome(event),
            )
            attempt.unsent = []
            if config:
                self._store.upload(attempt.run_id, attempt.folder / record.CONFIG)
            self._store.end(attempt.run_id, STATUS[event.state], event.time)
            self._ledger.complete(event.trial, attempt.number, event.time)
        attempt.ended = True

    def _log_test(self, event: TrialTested) -> None:
        """On the trial's run, with the pictures of it."""
        attempt = self._attempts[event.trial]
        if not self._ledger.has(event.trial, attempt.number, event.time):
            self._store.log(attempt.run_id, metrics=metrics(event.metrics, event.time))
            self._store.upload_folder(attempt.run_id, attempt.folder / record.PICTURES)
            self._ledger.complete(event.trial, attempt.number, event.time)

    def _end_sweep(self, event: SweepEnded) -> None:
        if self._ledger.has(None, 0, event.time):
            return
        for trial in self._attempts:
            self._close(trial, event.time)
        for run_id in self._store.running():  # left by a session that nobody replayed
            self._store.log(run_id, tags=LOST)
            self._store.end(run_id, STATUS["INTERRUPTED"], event.time)
        self._store.log(self._parent, tags=_outcome(event))
        if event.best is not None:
            self._log_best(event)
        for name in RESULTS:
            self._store.upload(self._parent, self._folder / name)
        for name in PICTURES:
            self._store.upload_file(self._parent, self._folder / name)
        self._store.end(self._parent, STATUS[event.state], event.time)
        self._ledger.complete(None, 0, event.time)

    def _close(self, trial: int, time: float) -> None:
        """Ends the attempt of a trial that nobody has ended: its coordinator was killed, or failed."""
        attempt = self._attempts[trial]
        if attempt.ended or attempt.whole:
            return
        self._store.log(attempt.run_id, metrics=attempt.unsent, tags=LOST)
        attempt.unsent = []
        self._store.end(attempt.run_id, STATUS["INTERRUPTED"], time)
        self._ledger.complete(trial, attempt.number, time)
        attempt.ended = True

    def _log_best(self, event: SweepEnded) -> None:
        """The best trial on the sweep's run. Its params become tags: a resumed sweep may find a better one."""
        trials = record.read(self._folder, curves=False).trials
        best = next(trial for trial in trials if trial.number == event.best)
        names = objectives.split(self._sweep.metric, len(best.values))
        values = {"best_trial": best.number, "best_objective": best.values[0]} | dict(
            zip(names, best.values, strict=True)
        )
        tags = {f"best.{key.lstrip('+')}": choice for key, choice in best.params.items()}
        self._store.log(self._parent, metrics=metrics(values, event.time), tags=tags)

    def _tags(self, command: str) -> dict[str, str]:
        """What the sweep's run and its trials' have in common."""
        tags = {
            "sweeper.sweep": self._sweep.sweep,
            "sweeper.state": "RUNNING",
            "sweeper.command": command,
            "mlflow.source.name": "sweeper",
            "mlflow.user": _user(),
        }
        commit = self._sweep.git_commit
        return tags | {"mlflow.source.git.commit": commit} if commit else tags


def _outcome(event: TrialEnded | SweepEnded) -> dict[str, str]:
    outcome = {"sweeper.state": event.state}
    return outcome | {"sweeper.reason": event.reason} if event.reason else outcome


def _objectives(values: tuple[float, ...] | None) -> dict[str, float]:
    if values is None:
        return {}
    return {"objective" if len(values) == 1 else f"objective_{i}": value for i, value in enumerate(values)}


def _numbers(facts: dict[str, Any]) -> dict[str, float]:
    """Below `trial/`, where no metric of an epoch is; what was tested goes by the names of `_log_test`."""
    numbers = {key: fact for key, fact in facts.items() if isinstance(fact, Real)}
    return {key if key.startswith("test_") else f"trial/{key}": fact for key, fact in numbers.items()}


def _config(folder: Path) -> dict[str, Any]:
    """Of the trial in `folder`. One that cannot be read, a stranger's perhaps, costs its run the params alone."""
    try:
        return plain.read(folder / record.CONFIG, "MLflow gets no params of it.")
    except FileNotFoundError:
        return {}
    except DataError as error:
        _log.warning(error)
        return {}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())

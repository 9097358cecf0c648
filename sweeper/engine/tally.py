"""What is known of a sweep's trials while it runs: how many ended how, which are the best, how much is left to do."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from sweeper.records import pareto
from sweeper.records.events import EpochReported, Event, TrialEnded, TrialStarted
from sweeper.records.record import DUPLICATE_OF, Trial, losses
from sweeper.records.states import OPEN


@dataclass(frozen=True)
class Known:
    """Of one trial."""

    number: int
    params: dict[str, Any]
    started: float  # seconds since 1970
    seconds: float = 0.0  # once it ended
    state: str = "RUNNING"
    epoch: int = 0
    value: float | None = None  # the last one heard; of several objectives the first
    point: pareto.Point | None = None  # once it finished, if it was trained


class Tally:
    def __init__(
        self,
        n_trials: int,
        directions: tuple[str, ...],
        slots: int | None,
        before: Iterable[Trial],
        elsewhere: Callable[[], int],
    ):
        """slots: None if unknown. before: the trials of earlier sessions. elsewhere: how many others have ended."""
        self.n_trials, self._directions, self._slots, self._elsewhere = n_trials, directions, slots, elsewhere
        self._trials: dict[int, Known] = {}
        self._states: Counter[str] = Counter()  # of those
        self._crashes = 0
        self.front: list[Known] = []  # the best that finished and are feasible: of several objectives, or equals
        for trial in before:
            self._put(_known(trial, directions))

    def hear(self, event: Event) -> Known | None:
        """What is known of the event's trial now. None if it is of none, or the start of that was never told."""
        match event:
            case TrialStarted():
                return self._put(Known(event.trial, event.params, event.time))
            case EpochReported() | TrialEnded() if event.trial not in self._trials:
                return None  # its start was deleted from a damaged journal, as for `record.replay`
            case EpochReported():
                return self._put(replace(self._trials[event.trial], epoch=event.epoch, value=event.value))
            case TrialEnded():
                self._crashes += event.state == "CRASHED"
                return self._put(_ended(self._trials[event.trial], event, self._directions))
        return None

    @property
    def ended(self) -> int:
        """Of the whole study."""
        return len(self._trials) - sum(self._states[state] for state in (*OPEN, "TAKEN_OVER")) + self._elsewhere()

    @property
    def states(self) -> Counter[str]:
        """How many trials are in each. A crash is counted also where the trial has gone on."""
        return Counter(self._states) | Counter(CRASHED=self._crashes)

    @property
    def running(self) -> list[Known]:
        return [trial for trial in self._all() if trial.state == "RUNNING"]

    @property
    def any_finished(self) -> bool:
        """Whether a trained trial has, feasible or not."""
        return any(trial.point for trial in self._all())

    def seconds_left(self) -> float:
        """What is to come, at the mean of the trials that ended and shared by the slots; 0 while none has ended."""
        durations = [trial.seconds for trial in self._all() if trial.state in ("FINISHED", "PRUNED")]
        if not durations:
            return 0.0
        mean, running = sum(durations) / len(durations), self.running
        under_way = sum(max(0.0, mean - (time.time() - trial.started)) for trial in running)
        waiting = max(0, self.n_trials - self.ended - len(running))
        return (mean * waiting + under_way) / max(self._slots or 1, len(running))  # a card may hold more

    def _all(self) -> list[Known]:
        """A copy: another thread asks while `hear` may be changing what it has."""
        return list(self._trials.values())

    def _put(self, trial: Known) -> Known:
        """In the place of what was known of it."""
        before = self._trials.get(trial.number)
        if before:
            self._states[before.state] -= 1
        self._states[trial.state] += 1
        self._trials[trial.number] = trial
        if trial.point and not trial.point.shortfall:
            others = [one for one in self.front if one.number != trial.number]
            known = sorted([*others, trial], key=lambda one: one.number)
            ranks = pareto.ranks([one.point for one in known])
            self.front = [one for rank, one in zip(ranks, known, strict=True) if rank == 1]
        return trial


def _known(trial: Trial, directions: tuple[str, ...]) -> Known:
    value, point = trial.values[0] if trial.values else None, _point(trial, directions)
    return Known(trial.number, trial.params, trial.started, trial.seconds, trial.state, 0, value, point)


def _ended(trial: Known, event: TrialEnded, directions: tuple[str, ...]) -> Known:
    value, seconds = event.values[0] if event.values else None, event.time - trial.started
    return replace(trial, state=event.state, value=value, point=_point(event, directions), seconds=seconds)


def _point(ended: Trial | TrialEnded, directions: tuple[str, ...]) -> pareto.Point | None:
    if ended.state != "FINISHED" or DUPLICATE_OF in ended.facts:
        return None
    return pareto.Point(losses(ended.values, directions), sum(ended.missed.values()))

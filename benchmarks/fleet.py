"""Slots that only seem to train: what they say to a coordinator, and when."""

from __future__ import annotations

import heapq
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from curves import VALUE, Curves
from fate import Durations, Fate, Faults, Trial
from skipped import SIMULATION, Clock
from usage import State, Usage

from sweeper.engine.executor import Call, Died, Done, Message, Raised, Ready, Reported, TrialJob
from sweeper.records import record

_Happens = Callable[[int, float], Iterator[Message]]  # slot, time -> what the slot says


@dataclass
class _Slot:
    life: int = 0  # what was to happen in an earlier one does not
    trial: Trial | None = None


@dataclass(frozen=True)
class _Waits:
    """Seconds that slots waited for the coordinator."""

    answers: list[float] = field(default_factory=list)
    trials: list[float] = field(default_factory=list)


class Fleet:
    """An executor as the coordinator knows it, over the events that are to come."""

    def __init__(
        self,
        slots: int,
        clock: Clock,
        curves: Curves,
        folder: Path,
        *,
        faults: Faults | None = None,
        durations: Durations | None = None,
        config: Path | None = None,
        seed: int = 0,
    ):
        """folder: the sweep's, in which trials leave what real ones do. config: of each trial.
        faults: None for none of them.
        """
        self.slots, self._clock, self._curves, self._folder, self._config = slots, clock, curves, folder, config
        self._faults, self._fate = faults, Fate(curves, faults, durations or Durations(), seed)
        self._durations, self._order = self._fate.durations, count()
        self._coming: list[tuple[float, int, int, int | None, _Happens]] = []  # a heap; see `_later`
        self._all = [_Slot() for _ in range(slots)]
        self._since = [math.nan] * slots  # the slot waits
        self._usage, self.waits = Usage(slots), _Waits()
        self._newest, self.usage = -1, self._usage.until(clock.time())  # until the last trial began for the first time
        self.began = math.nan  # when the first slot was ready
        self._ends: dict[str, _Happens] = {
            "out_of_memory": self._out_of_memory,
            "diverged": self._diverge,
            "raised": self._raise,
            "hung": self._hang,
        }

    def start(self, work: bytes, log_folder: str) -> None:
        for slot in range(self.slots):
            self._restart(slot, self._clock.time())
        if self._faults:
            for first in range(0, self.slots, self._faults.node):
                self._lose_later(first, self._clock.time())

    def submit(self, slot: int, job: TrialJob | Call) -> None:
        with self._clock.part(SIMULATION):
            now = self._clock.time()
            self.waits.trials.append(now - self._since[slot])
            self._enter(slot, "training", now)
            if job.number > self._newest:
                self._newest, self.usage = job.number, self._usage.until(now)
            folder = self._folder / job.subdir
            folder.mkdir(exist_ok=True)
            if self._config and not (folder / record.CONFIG).exists():
                os.link(self._config, folder / record.CONFIG)
            self._all[slot].trial = self._fate.of(job.overrides)
            self._train(slot, now)

    def answer(self, slot: int, stop: bool) -> None:
        trial = self._all[slot].trial
        if trial is None:
            return  # it was lost meanwhile
        with self._clock.part(SIMULATION):
            now = self._clock.time()
            self.waits.answers.append(now - self._since[slot])
            self._enter(slot, "training", now)
            if stop or trial.epoch == len(trial.told):
                self._later(slot, now + self._durations.last, self._finish)
            else:
                self._train(slot, now)

    def kill(self, slot: int) -> None:
        with self._clock.part(SIMULATION):
            self._restart(slot, self._clock.time())

    def wait(self, timeout: float) -> list[Message]:
        with self._clock.part(SIMULATION):
            now = self._clock.time()
            if timeout and not (self._coming and self._coming[0][0] <= now):
                self._clock.skip(min([now + timeout, *(coming[0] for coming in self._coming[:1])]))
            return list(self._heard(self._clock.time()))

    def close(self) -> None:
        pass

    def _heard(self, now: float) -> Iterator[Message]:
        while self._coming and self._coming[0][0] <= now:
            at, _, slot, life, happens = heapq.heappop(self._coming)
            if life is None or life == self._all[slot].life:
                yield from happens(slot, at)

    def _later(self, slot: int, at: float, what: _Happens, *, any_life: bool = False) -> None:
        life = None if any_life else self._all[slot].life
        heapq.heappush(self._coming, (at, next(self._order), slot, life, what))

    def _enter(self, slot: int, state: State, at: float) -> None:
        self._usage.enter(slot, state, at)
        self._since[slot] = at if state == "waiting" else math.nan

    def _restart(self, slot: int, at: float) -> None:
        self._enter(slot, "down", at)
        self._all[slot].life += 1
        self._all[slot].trial = None
        self._later(slot, at + self._fate.about(self._durations.start), self._begin)

    def _begin(self, slot: int, at: float) -> Iterator[Message]:
        if math.isnan(self.began):
            self.began = at
        if self._faults:
            self._later(slot, at + self._fate.hours(self._faults.slot_hours), self._die)
        yield from self._ready(slot, at)

    def _ready(self, slot: int, at: float) -> Iterator[Message]:
        self._enter(slot, "waiting", at)
        yield Ready(slot)

    def _die(self, slot: int, at: float) -> Iterator[Message]:
        self._restart(slot, at)
        yield Died(slot, "killed by SIGKILL")

    def _lose_later(self, first: int, at: float) -> None:
        self._later(first, at + self._fate.hours(self._faults.node_hours), self._lose_node, any_life=True)

    def _lose_node(self, first: int, at: float) -> Iterator[Message]:
        for slot in range(first, min(first + self._faults.node, self.slots)):
            if self._usage.state(slot) != "down":
                self._restart(slot, at)
                yield Died(slot, "its node was lost")
        self._lose_later(first, at)

    def _train(self, slot: int, now: float) -> None:
        trial = self._all[slot].trial
        ends = now + self._fate.about(trial.pace, 1 / 3) + self._durations.first * (trial.epoch == 0)
        self._later(slot, ends, self._ends[trial.fault] if trial.fails_next else self._report)

    def _report(self, slot: int, at: float) -> Iterator[Message]:
        trial = self._all[slot].trial
        metrics = dict(zip(self._curves.metrics, trial.told[trial.epoch].tolist(), strict=True))
        trial.epoch += 1
        trial.best = max(trial.best, metrics[VALUE])
        self._enter(slot, "waiting", at)
        yield Reported(slot, trial.epoch, metrics[VALUE], metrics)

    def _finish(self, slot: int, at: float) -> Iterator[Message]:
        trial = self._all[slot].trial
        yield Done(slot, (trial.best,), trial.facts | {"epochs": trial.epoch, "best_epoch": trial.epoch})
        yield from self._ready(slot, at)

    def _out_of_memory(self, slot: int, at: float) -> Iterator[Message]:
        self._restart(slot, at)
        yield Died(slot, "out of memory", "OUT_OF_MEMORY")

    def _diverge(self, slot: int, at: float) -> Iterator[Message]:
        yield Raised(slot, "Diverged: the loss became nan", "the loss became nan", None, "DIVERGED")
        yield from self._ready(slot, at)

    def _raise(self, slot: int, at: float) -> Iterator[Message]:
        yield Raised(slot, "ValueError: no", "ValueError: no", f"mine.py:{slot}")
        yield from self._ready(slot, at)

    def _hang(self, slot: int, at: float) -> Iterator[Message]:
        self._enter(slot, "down", at)  # of no use to anybody, and not for want of an answer
        yield from ()

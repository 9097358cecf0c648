"""The one process that asks, hands out trials, hears reports, decides and tells. A free slot gets work at once."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sweeper import command, constraints
from sweeper.duplicates import Duplicates
from sweeper.errors import SweeperError
from sweeper.events import EpochReported, Event, State, TrialEnded, TrialStarted
from sweeper.executor import Call, Died, Done, Executor, Message, Raised, Ready, Reported, TrialJob
from sweeper.settings import Settings
from sweeper.study import Proposal, Study

_TICK = 0.5  # seconds until a request to stop is noticed
_SAME_FAILURES = 3  # the first trials failing alike: the rest would too


class SweepFailed(SweeperError):
    """The sweep cannot go on, or too much of it failed."""

    exit_code = 1


@dataclass(frozen=True)
class _Attempt:
    proposal: Proposal
    count: int = 0  # attempts before this one
    pruned_at: int | None = None  # epoch


class Coordinator:
    def __init__(
        self,
        study: Study,
        executor: Executor,
        settings: Settings,
        emit: Callable[[Event], None],
        subdir: Callable[[int, list[str]], str],
    ):
        """subdir: number and overrides of a trial -> its folder in the sweep's."""
        self._study, self._executor, self._settings = study, executor, settings
        self._emit, self._subdir = emit, subdir
        self._asked = 0
        self._free: deque[int] = deque()
        self._running: dict[int, _Attempt] = {}  # by slot
        self._again: deque[_Attempt] = deque()  # lost their slot
        self._ended: Counter[State] = Counter()
        self._places: Counter[str | None] = Counter()  # where trials failed
        self._duplicates = Duplicates()
        self.stop_requested = False

    def run(self) -> None:
        """Until n_trials are told, or `stop_requested`; then running trials end as INTERRUPTED.

        Raises: SweepFailed if it makes no sense to go on; all that ran is told and written by then.
        """
        try:
            while not self.stop_requested and (self._running or self._again or self._asked < self._settings.n_trials):
                self._fill_slots()
                for message in self._executor.wait(_TICK):
                    self._handle(message)
        finally:
            for attempt in [*self._running.values(), *self._again]:
                self._end(attempt, "INTERRUPTED", None, "the sweep ended before the trial did")
            self._running.clear()

    def call(self, function: Callable[..., None], *arguments: Any) -> None:
        """Runs it in the next free slot, between trials. Raises: SweepFailed with its traceback if it raises."""
        while not self._free:
            for message in self._executor.wait(_TICK):
                self._handle(message)
        slot = self._free.popleft()
        self._executor.submit(slot, Call(function, arguments))
        outcome = None
        while outcome is None:
            for message in self._executor.wait(_TICK):
                if message.slot == slot and not isinstance(message, Ready):
                    outcome = message
                else:
                    self._handle(message)  # also that this slot is ready again
        if isinstance(outcome, Raised):
            raise SweepFailed(outcome.told)
        if isinstance(outcome, Died):
            raise SweepFailed(outcome.reason)

    def _fill_slots(self) -> None:
        while self._free and not self.stop_requested and (self._again or self._asked < self._settings.n_trials):
            attempt = self._again.popleft() if self._again else self._ask()
            earlier = self._duplicates.of(attempt.proposal.params) if self._settings.reuse_duplicates else None
            if earlier:
                self._repeat(attempt, earlier)
            else:
                self._start(self._free.popleft(), attempt)

    def _repeat(self, attempt: _Attempt, earlier: TrialEnded) -> None:
        """Tells a trial as an earlier one of the same parameters ended, without training it."""
        self._announce(attempt)
        reason = f"the same as trial {earlier.trial}, which was trained"
        self._end(attempt, "FINISHED", earlier.values, reason, earlier.facts)
        for message in self._executor.wait(0):  # slots wait for answers while a small space repeats itself
            self._handle(message)

    def _start(self, slot: int, attempt: _Attempt) -> None:
        subdir = self._announce(attempt)
        self._running[slot] = attempt
        self._executor.submit(slot, TrialJob(attempt.proposal.number, attempt.proposal.overrides, subdir))

    def _announce(self, attempt: _Attempt) -> str:
        """That it starts; returns its folder in the sweep's."""
        trial = attempt.proposal
        subdir = self._subdir(trial.number, trial.overrides)
        again = command.training(trial.overrides)
        self._emit(TrialStarted(trial.number, attempt.count, trial.params, again, subdir, time.time()))
        return subdir

    def _ask(self) -> _Attempt:
        self._asked += 1
        return _Attempt(self._study.ask())

    def _handle(self, message: Message) -> None:
        match message:
            case Ready(slot):
                self._free.append(slot)
            case Reported(slot):
                self._report(slot, message)
            case Done(slot):
                self._finish(self._running.pop(slot), message)
            case Raised(slot):
                self._fail(self._running.pop(slot), message.reason, message.told, message.place)
            case Died(slot) if slot in self._running:
                self._retry(self._running.pop(slot), message.reason)
            case Died(slot) if slot in self._free:
                self._free.remove(slot)

    def _report(self, slot: int, heard: Reported) -> None:
        attempt = self._running[slot]
        number = attempt.proposal.number
        stop = self._study.report(number, heard.epoch, heard.value)
        self._executor.answer(slot, stop)
        if stop:
            self._running[slot] = replace(attempt, pruned_at=heard.epoch)
        self._emit(EpochReported(number, heard.epoch, heard.value, heard.metrics, time.time()))

    def _finish(self, attempt: _Attempt, done: Done) -> None:
        wanted = len(self._settings.directions)
        if attempt.pruned_at is not None:
            reason = f"behind the other trials at epoch {attempt.pruned_at}"
            self._end(attempt, "PRUNED", done.values, reason, done.facts)
        elif len(done.values) != wanted:
            self._fail(attempt, f"the task returned {len(done.values)} values for {wanted} of hydra.sweeper.direction")
        elif any(math.isnan(value) for value in done.values):
            self._fail(attempt, "the task returned nan", facts=done.facts)
        else:
            self._end(attempt, "FINISHED", done.values, None, done.facts)

    def _retry(self, attempt: _Attempt, reason: str) -> None:
        if attempt.count < self._settings.max_retries:
            crash = f"its process was lost ({reason}); it starts again"
            self._emit(TrialEnded(attempt.proposal.number, "CRASHED", None, crash, time=time.time()))
            self._again.append(_Attempt(attempt.proposal, attempt.count + 1))
        else:
            self._fail(attempt, f"its process was lost {attempt.count + 1} times ({reason})")

    def _fail(
        self,
        attempt: _Attempt,
        reason: str,
        told: str | None = None,
        place: str | None = None,
        facts: dict[str, Any] | None = None,
    ) -> None:
        """told, place: of an exception. Raises: SweepFailed if it makes no sense to go on."""
        self._end(attempt, "FAILED", None, reason, facts)
        self._places[place] += 1
        if place and self._places[place] == sum(self._ended.values()) == _SAME_FAILURES:
            raise SweepFailed(f"The first {_SAME_FAILURES} trials failed alike. The last one:\n\n{told}")
        failed, allowed = self._ended["FAILED"], self._settings.max_failure_rate
        if failed > allowed * self._settings.n_trials:
            raise SweepFailed(
                f"{failed} of {self._settings.n_trials} trials failed, more than hydra.sweeper.max_failure_rate="
                f"{allowed} allows. The last one:\n\n{told or reason}"
            )

    def _end(
        self, attempt: _Attempt, state: State, values: Any, reason: str | None, facts: dict[str, Any] | None = None
    ) -> None:
        number, facts = attempt.proposal.number, facts or {}
        judged = constraints.parse(self._settings.constraints) if state in ("FINISHED", "PRUNED") else ()
        gaps = constraints.gaps(judged, facts, values)
        self._study.tell(number, state, values, gaps)
        self._ended[state] += 1
        missed = constraints.missed(gaps) if state == "FINISHED" else {}
        reasons = filter(None, (reason, constraints.reason(missed, facts)))
        ended = TrialEnded(number, state, values, "; ".join(reasons) or None, facts, time.time(), missed)
        self._duplicates.add(attempt.proposal.params, ended)
        self._emit(ended)

"""The one process that asks, hands out trials, hears reports, decides and tells. A free slot gets work at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sweeper.clock import Clock
from sweeper.config import command
from sweeper.engine import outcome
from sweeper.engine.agenda import Agenda, Attempt
from sweeper.engine.executor import Call, Died, Done, Executor, Message, Queued, Raised, Ready, Reported, TrialJob
from sweeper.engine.failures import Failures, SweepFailed
from sweeper.engine.limits import Limits
from sweeper.engine.outcome import Outcome
from sweeper.engine.stopping import Stopping
from sweeper.engine.waiting import Waiting
from sweeper.evolution.population import Population
from sweeper.records import lineage
from sweeper.records.events import EpochReported, Event, TrialEnded, TrialStarted
from sweeper.records.record import Trial
from sweeper.records.states import OPEN
from sweeper.search import constraints
from sweeper.search.duplicates import Duplicates
from sweeper.search.retrainings import Retrainings
from sweeper.search.settings import Settings
from sweeper.search.source import StorageAway
from sweeper.search.study import Study

_TICK = 0.5  # seconds until a request to stop is noticed


class Coordinator:
    def __init__(
        self,
        study: Study | Retrainings | Population,
        executor: Executor,
        settings: Settings,
        limits: Limits,
        stopping: Stopping,
        emit: Callable[[Event], None],
        subdir: Callable[[int, list[str]], str],
        earlier: Sequence[Trial] = (),
        prepare: Call | None = None,
        waiting: Waiting | None = None,
        within: str = "",
        clock: Clock = time,
    ):
        """subdir: number and overrides of a trial -> its folder in the sweep's.
        earlier: the trials of the sessions before, when a sweep is resumed.
        prepare: what a slot does that gets no further trial, while others still train.
        waiting: the slots that an earlier coordinator has left waiting.
        within: the folder, in that of the slots' sweep, that `subdir` is in.
        """
        self._study, self._executor, self._settings = study, executor, settings
        self._limits, self._stopping = limits, stopping
        self._emit = emit
        self._waiting = Waiting() if waiting is None else waiting
        self._within, self._clock = within, clock
        self._running: dict[int, Attempt] = {}  # by slot
        self._prepare = prepare
        self._abandoned: list[int] = []  # slots that work on a trial that ended already
        self._failures = Failures(settings, (trial.state for trial in earlier))
        self._duplicates = Duplicates(earlier)
        self._agenda = Agenda(study, settings, limits, subdir, earlier)

    def run(self) -> None:
        """Until n_trials are told, or a stop is requested, or time is up; then running trials end as INTERRUPTED.

        Raises: SweepFailed if it makes no sense to go on; all that ran is told and written by then.
        """
        for ended in self._study.ended:
            self._emit(ended)
        try:
            while not self._is_over():
                self._heed_others()
                self._fill_slots()
                for message in self._executor.wait(_TICK):
                    self._handle(message)
                self._end_hung()
        except StorageAway:
            pass  # the sweep had to end anyway
        finally:
            for slot in list(self._running):
                self._abandoned.append(slot)
                self._end(self._running.pop(slot), outcome.INTERRUPTED)

    def ended_by(self) -> Exception | None:
        """Runs; what ended it before its time. Even a bug of ours must leave a sweep with its results written."""
        try:
            with self._stopping.on_signals():
                self.run()
        except Exception as error:
            return error
        return None

    @property
    def time_is_up(self) -> str | None:
        """Why not all trials ran, if that is so."""
        if not (self._agenda.is_left or self._abandoned):
            return None
        if self._limits.may_start() and not self._study.is_ready:
            return "all members of the population lost their state, so none could go on"
        limit = "deadline" if self._limits.is_over() else "timeout"
        return f"hydra.sweeper.{limit}={getattr(self._settings, limit)} was reached"

    def _is_over(self) -> bool:
        if self._stopping.requested or self._limits.is_over():
            return True
        return not (self._running or self._agenda.may_start or self._agenda.is_on_guard)

    def call(self, function: Callable[..., None], *arguments: Any) -> None:
        """Runs it in the next free slot, between trials; in another one if that is lost.

        Raises: SweepFailed with its traceback if it raises.
        """
        while self._abandoned:
            self._executor.kill(self._abandoned.pop())
        heard = self._called(Call(function, arguments))
        if isinstance(heard, Died):
            heard = self._called(Call(function, arguments))
        if not isinstance(heard, Done):
            raise SweepFailed(heard.told if isinstance(heard, Raised) else heard.reason)

    def _called(self, call: Call) -> Done | Raised | Died:
        while not self._waiting:
            for message in self._executor.wait(_TICK):
                self._handle(message)
        slot = self._waiting.take_prepared()
        self._executor.submit(slot, call)
        heard = None
        while heard is None:
            for message in self._executor.wait(_TICK):
                if message.slot == slot and not isinstance(message, Ready):
                    heard = message
                else:
                    self._handle(message)  # also that this slot is ready again
        return heard

    def _fill_slots(self) -> None:
        while self._waiting and self._agenda.may_start and not self._stopping.requested:
            attempt = self._agenda.take()
            if attempt is None:
                break
            if attempt.proposal.losses > self._settings.max_retries:
                self._announce(attempt)
                self._end(attempt, outcome.deadly(attempt.proposal.losses))
                continue
            same = self._duplicates.of(attempt.proposal.params) if self._settings.reuse_duplicates else None
            if same:
                self._repeat(attempt, same)
            else:
                self._start(self._waiting.take_for(attempt.proposal.params), attempt)
            for message in self._executor.wait(0):  # slots wait for answers while others are asked for
                self._handle(message)
        if self._prepare and self._running and not self._agenda.is_more_to_come:
            for slot in self._waiting.take_to_prepare():
                self._executor.submit(slot, self._prepare)

    def _repeat(self, attempt: Attempt, same: TrialEnded) -> None:
        """Tells a trial as one of the same parameters ended, without training it."""
        self._announce(attempt)
        self._end(attempt, outcome.repeated(same))

    def _start(self, slot: int, attempt: Attempt) -> None:
        self._running[slot] = replace(attempt, heard_at=self._now())
        self._announce(attempt)
        trial, subdir = attempt.proposal, str(Path(self._within, attempt.subdir))
        goes_on_from = lineage.read_by(trial.params)
        self._executor.submit(slot, TrialJob(trial.number, trial.overrides, subdir, trial.test, goes_on_from))

    def _announce(self, attempt: Attempt) -> None:
        trial = attempt.proposal
        again = command.training(trial.overrides)
        self._emit(TrialStarted(trial.number, attempt.number, trial.params, again, attempt.subdir, self._clock.time()))

    def _handle(self, message: Message) -> None:
        match message:
            case Ready(slot):
                self._waiting.add(slot)
            case Queued(slot):
                self._running[slot] = replace(self._running[slot], heard_at=self._now())
            case Reported(slot):
                self._report(slot, message)
            case Done(slot) | Raised(slot) if slot not in self._running:
                pass  # it has prepared
            case Done(slot):
                attempt = self._running.pop(slot)
                self._end(attempt, outcome.done(message, len(self._settings.directions), attempt.pruned_at))
            case Raised(slot) if message.state in OPEN:
                raise OSError(message.told)
            case Raised(slot):
                self._end(self._running.pop(slot), outcome.raised(message))
            case Died(slot) if slot in self._running:
                self._waiting.forget(slot)
                self._lose(self._running.pop(slot), message)
            case Died(slot):
                self._waiting.forget(slot)

    def _report(self, slot: int, heard: Reported) -> None:
        attempt, now = self._running[slot], self._now()
        number = attempt.proposal.number
        stop = self._study.report(number, heard.epoch, heard.value)
        self._executor.answer(slot, stop)
        if heard.epoch > 1:  # the first one has to start up too
            self._limits.heard(now - attempt.heard_at)
        self._running[slot] = replace(attempt, heard_at=now, pruned_at=heard.epoch if stop else attempt.pruned_at)
        self._emit(EpochReported(number, heard.epoch, heard.value, heard.metrics, self._clock.time()))

    def _lose(self, attempt: Attempt, died: Died) -> None:
        """The process of a trial."""
        lost = outcome.died(died, attempt.crashes, self._settings.max_retries)
        self._end(attempt, lost)
        if lost.state == "CRASHED":
            self._agenda.retry(attempt, by_chance=died.by_us)

    def _end_hung(self) -> None:
        """Trials that made no progress for `trial_timeout`."""
        patience = self._settings.trial_timeout
        if patience is None:
            return
        heard_before = self._now() - patience
        for slot in [slot for slot, attempt in self._running.items() if attempt.heard_at < heard_before]:
            self._end(self._stopped(slot), outcome.hung(patience))

    def _now(self) -> float:
        """Seconds, on a clock that stands still while the study's storage is waited for: no slot is answered then."""
        return self._clock.monotonic() - self._study.waited

    def _stopped(self, slot: int) -> Attempt:
        """In the middle of its trial, which this is."""
        self._executor.kill(slot)
        self._waiting.forget(slot)
        return self._running.pop(slot)

    def _heed_others(self) -> None:
        """Ends trials that other coordinators have taken over, as nothing was heard of this one: it was only away."""
        if not self._study.is_shared:
            return
        self._study.refresh()
        for slot in [slot for slot, attempt in self._running.items() if self._study.lost(attempt.proposal.number)]:
            attempt = self._stopped(slot)
            self._end(attempt, self._taken_over(attempt))
        for attempt in self._agenda.drop_lost():
            self._end(attempt, self._taken_over(attempt))

    def _taken_over(self, attempt: Attempt) -> Outcome:
        return outcome.taken_over(self._study.taker(attempt.proposal.number))

    def _end(self, attempt: Attempt, end: Outcome) -> None:
        """The journal hears first: what it has, a resumed sweep tells the study.

        Raises: SweepFailed if it makes no sense to go on.
        """
        number, params = attempt.proposal.number, attempt.proposal.params
        finished = end.state == "FINISHED"
        missed = constraints.missed(self._settings.constraints, end.facts, end.values) if finished else {}
        reason = "; ".join(filter(None, (end.reason, constraints.reason(missed, end.facts)))) or None
        ended = TrialEnded(number, end.state, end.values, reason, end.facts, self._clock.time(), missed)
        if end.state != "TAKEN_OVER" and not self._study.settle(ended):
            self._end(attempt, self._taken_over(attempt))
            return
        self._duplicates.add(params, ended)
        self._emit(ended)
        self._study.tell(number, end.state, end.values, end.facts)
        if end.state not in OPEN:
            self._failures.count(end.state, end.told or end.reason, end.place)

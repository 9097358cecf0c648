"""The one process that asks, hands out trials, hears reports, decides and tells. A free slot gets work at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sweeper.clock import Clock
from sweeper.engine import outcome
from sweeper.engine.agenda import Agenda, Attempt
from sweeper.engine.executor import Call, Died, Done, Message, Queued, Raised, Ready, Reported, TrialJob
from sweeper.engine.failures import SweepFailed
from sweeper.engine.naming import Naming
from sweeper.engine.session import Session
from sweeper.engine.teller import Teller
from sweeper.evolution.population import Population
from sweeper.records import lineage
from sweeper.records.events import Event, TrialEnded
from sweeper.records.record import Trial
from sweeper.records.states import OPEN
from sweeper.search.retrainings import Retrainings
from sweeper.search.source import StorageAway
from sweeper.search.study import Study

_TICK = 0.5  # seconds until a request to stop is noticed


class Coordinator:
    def __init__(
        self,
        study: Study | Retrainings | Population,
        session: Session,
        emit: Callable[[Event], None],
        subdir: Naming,
        earlier: Sequence[Trial] = (),
        *,
        prepare: Call | None = None,
        within: str = "",
        clock: Clock = time,
    ):
        """emit: to the journal and its listeners.
        earlier: the trials of the sessions before, when a sweep is resumed.
        prepare: what a slot does that gets no further trial, while others still train.
        within: the folder, in that of the slots' sweep, that `subdir` is in.
        """
        self._study, self._settings, self._executor = study, session.settings, session.executor
        self._limits, self._stopping, self._waiting = session.limits, session.stopping, session.waiting
        self._prepare, self._within, self._clock = prepare, within, clock
        self._running: dict[int, Attempt] = {}  # by slot
        self._abandoned: list[int] = []  # slots that work on a trial that ended already
        self._agenda = Agenda(study, session.settings, session.limits, subdir, earlier)
        self._teller = Teller(study, session.settings, emit, earlier, clock)

    def run(self) -> None:
        """Until n_trials are told, or a stop is requested, or time is up; then running trials end as INTERRUPTED.

        Raises: SweepFailed if it makes no sense to go on; all that ran is told and written by then.
        """
        self._teller.catch_up()
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
                self._teller.ended(self._running.pop(slot), outcome.INTERRUPTED)

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
                self._teller.begun(attempt)
                self._teller.ended(attempt, outcome.deadly(attempt.proposal.losses))
                continue
            same = self._teller.alike(attempt.proposal.params)
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
        self._teller.begun(attempt)
        self._teller.ended(attempt, outcome.repeated(same))

    def _start(self, slot: int, attempt: Attempt) -> None:
        self._running[slot] = replace(attempt, heard_at=self._now())
        self._teller.begun(attempt)
        trial, subdir = attempt.proposal, str(Path(self._within, attempt.subdir))
        goes_on_from = lineage.read_by(trial.params)
        self._executor.submit(slot, TrialJob(trial.number, trial.overrides, subdir, trial.test, goes_on_from))

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
                self._teller.ended(attempt, outcome.done(message, len(self._settings.directions), attempt.pruned_at))
            case Raised(slot) if message.state in OPEN:
                raise OSError(message.told)
            case Raised(slot):
                self._teller.ended(self._running.pop(slot), outcome.raised(message))
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
        self._teller.reported(number, heard)

    def _lose(self, attempt: Attempt, died: Died) -> None:
        """The process of a trial."""
        lost = outcome.died(died, attempt.crashes, self._settings.max_retries)
        self._teller.ended(attempt, lost)
        if lost.state == "CRASHED":
            self._agenda.retry(attempt, by_chance=died.by_us)

    def _end_hung(self) -> None:
        """Trials that made no progress for `trial_timeout`."""
        patience = self._settings.trial_timeout
        if patience is None:
            return
        heard_before = self._now() - patience
        for slot in [slot for slot, attempt in self._running.items() if attempt.heard_at < heard_before]:
            self._teller.ended(self._stopped(slot), outcome.hung(patience))

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
            self._teller.taken_over(self._stopped(slot))
        for attempt in self._agenda.drop_lost():
            self._teller.taken_over(attempt)

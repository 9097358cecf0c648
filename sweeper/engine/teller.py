"""What becomes of trials, told to all who must hear of it: the journal first, then the study."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sweeper.clock import Clock
from sweeper.config import command
from sweeper.engine import outcome
from sweeper.engine.agenda import Attempt
from sweeper.engine.executor import Reported
from sweeper.engine.failures import Failures
from sweeper.engine.outcome import Outcome
from sweeper.evolution.population import Population
from sweeper.records.events import EpochReported, Event, TrialEnded, TrialStarted
from sweeper.records.record import Trial
from sweeper.records.states import OPEN
from sweeper.search import constraints
from sweeper.search.duplicates import Duplicates
from sweeper.search.retrainings import Retrainings
from sweeper.search.settings import Settings
from sweeper.search.study import Study


class Teller:
    def __init__(
        self,
        study: Study | Retrainings | Population,
        settings: Settings,
        emit: Callable[[Event], None],
        earlier: Sequence[Trial],
        clock: Clock,
    ):
        """emit: to the journal. earlier: as of `Coordinator`."""
        self._study, self._settings, self._emit, self._clock = study, settings, emit, clock
        self._failures = Failures(settings, (trial.state for trial in earlier))
        self._duplicates = Duplicates(earlier)

    def catch_up(self) -> None:
        """On what became of trials while this process was away."""
        for ended in self._study.ended:
            self._emit(ended)

    def begun(self, attempt: Attempt) -> None:
        trial = attempt.proposal
        again = command.training(trial.overrides)
        self._emit(TrialStarted(trial.number, attempt.number, trial.params, again, attempt.subdir, self._clock.time()))

    def reported(self, number: int, heard: Reported) -> None:
        self._emit(EpochReported(number, heard.epoch, heard.value, heard.metrics, self._clock.time()))

    def ended(self, attempt: Attempt, end: Outcome) -> None:
        """The journal hears first: what it has, a resumed sweep tells the study.

        Raises: SweepFailed if it makes no sense to go on.
        """
        number, params = attempt.proposal.number, attempt.proposal.params
        finished = end.state == "FINISHED"
        missed = constraints.missed(self._settings.constraints, end.facts, end.values) if finished else {}
        reason = "; ".join(filter(None, (end.reason, constraints.reason(missed, end.facts)))) or None
        ended = TrialEnded(number, end.state, end.values, reason, end.facts, self._clock.time(), missed)
        if end.state != "TAKEN_OVER" and not self._study.settle(ended):
            self.taken_over(attempt)
            return
        self._duplicates.add(params, ended)
        self._emit(ended)
        self._study.tell(number, end.state, end.values, end.facts)
        if end.state not in OPEN:
            self._failures.count(end.state, end.told or end.reason, end.place)

    def taken_over(self, attempt: Attempt) -> None:
        """By another coordinator, which says how it ends."""
        self.ended(attempt, outcome.taken_over(self._study.taker(attempt.proposal.number)))

    def alike(self, params: Mapping[str, Any]) -> TrialEnded | None:
        """How a trial of the same parameters has ended, as `Duplicates.of`. None where each is to be trained."""
        return self._duplicates.of(params) if self._settings.reuse_duplicates else None

"""What is to be run next: first what was lost or left open, then what the study proposes, as long as time allows."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sweeper.engine.limits import Limits
from sweeper.engine.naming import Naming
from sweeper.evolution.population import Population
from sweeper.records.record import Trial
from sweeper.search.retrainings import Retrainings
from sweeper.search.settings import Settings
from sweeper.search.study import Proposal, Study


@dataclass(frozen=True)
class Attempt:
    proposal: Proposal
    subdir: str  # of the sweep's folder
    number: int = 0  # attempts before this one
    crashes: int = 0  # of those in this session
    pruned_at: int | None = None  # epoch
    heard_at: float = 0.0  # when it last made progress, on the monotonic clock


class Agenda:
    def __init__(
        self,
        study: Study | Retrainings | Population,
        settings: Settings,
        limits: Limits,
        subdir: Naming,
        earlier: Sequence[Trial] = (),
    ):
        """earlier: see `Coordinator`."""
        self._study, self._settings, self._limits, self._subdir = study, settings, limits, subdir
        self._attempts = {trial.number: trial.attempt for trial in earlier}  # the last one of each trial
        self._again = deque(self._open(earlier))
        self._asked = len(earlier) + sum(attempt.number == 0 for attempt in self._again)

    def _open(self, earlier: Sequence[Trial]) -> list[Attempt]:
        """What sessions before have not ended: with the attempt after their last one, in the same folder."""
        known = {trial.number: trial for trial in earlier}
        attempts = []
        for proposal in self._study.begun:
            trial = known.get(proposal.number)
            subdir = trial.subdir if trial else self._subdir(proposal.number, proposal.overrides)
            attempts.append(Attempt(proposal, subdir, trial.attempt + 1 if trial else 0))
        return attempts

    @property
    def is_left(self) -> bool:
        """Whether there is anything that time may keep from being run."""
        return bool(self._again) or self._has_more() or self._study.waits_for_others

    @property
    def may_start(self) -> bool:
        return self.is_more_to_come and bool(self._again or self._study.is_ready)

    @property
    def is_more_to_come(self) -> bool:
        """Now, or when running trials have ended."""
        return self._limits.may_start() and bool(self._again or self._has_more())

    @property
    def is_on_guard(self) -> bool:
        """Nothing is left to be asked for, but other coordinators may be lost with what they run."""
        return self._limits.may_start() and self._study.waits_for_others

    def _has_more(self) -> bool:
        return self._study.is_ready if self._study.is_shared else self._asked < self._settings.n_trials

    def take(self) -> Attempt | None:
        """None if the study has none after all: other coordinators were faster."""
        attempt = self._again.popleft() if self._again else self._ask()
        if attempt is not None:
            self._attempts[attempt.proposal.number] = attempt.number
        return attempt

    def _ask(self) -> Attempt | None:
        proposal = self._study.ask()
        if proposal is None:
            return None
        self._asked += 1
        number = proposal.number
        subdir = self._subdir(number, proposal.overrides)
        self._study.bring(number, subdir)
        return Attempt(proposal, subdir, self._attempts.get(number, -1) + 1)

    def retry(self, lost: Attempt, *, by_chance: bool) -> None:
        """by_chance: it had no part in its loss."""
        crashes = lost.crashes + (not by_chance)
        self._again.append(replace(lost, number=lost.number + 1, crashes=crashes, pruned_at=None))

    def drop_lost(self) -> list[Attempt]:
        """What was to be run again, and other coordinators have taken over meanwhile."""
        dropped = [attempt for attempt in self._again if self._study.lost(attempt.proposal.number)]
        self._again = deque(attempt for attempt in self._again if attempt not in dropped)
        return dropped

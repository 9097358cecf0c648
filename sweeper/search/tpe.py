"""Optuna's TPE for sweeps of thousands: it reads every trial at each draw, and 12,000 of them take a tenth of a second.

Beyond `most` trials it is shown the best and the latest of them only. To TPE the others matter least: it tells the best
25 from the rest, and the weight of the rest falls with their age. Up to there it draws what Optuna's own draws.
"""

from __future__ import annotations

import copy
from collections.abc import Container, Sequence
from heapq import nlargest
from operator import attrgetter
from typing import Any

import optuna
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from sweeper.errors import ConfigError
from sweeper.search import feasibility

_BEST = 100  # always shown; TPE takes at most 25 for the good ones
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


class TPESampler(optuna.samplers.TPESampler):
    def __init__(self, *, most: int = 1000, **keys: Any):
        """most: ended trials that it learns from, and running ones that it keeps away from; keys: Optuna's own.

        Raises: ConfigError if `most` is too few.
        """
        super().__init__(**keys)
        if not isinstance(most, int) or most < 2 * _BEST:
            raise ConfigError(f"hydra.sweeper.sampler.most={most}: give at least {2 * _BEST} trials to learn from.")
        self._most, self._view = most, _View()
        self._space: dict[str, BaseDistribution] | None = None  # once it is known by `most` trials

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        if self._space is None or self._shown(study, trial) is study:
            self._space = super().infer_relative_search_space(study, trial)
        return copy.copy(self._space)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return super().sample_relative(self._shown(study, trial), trial, search_space)

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any) -> Any:
        return super().sample_independent(self._shown(study, trial), trial, param_name, param_distribution)

    def _shown(self, study: Study, trial: FrozenTrial) -> Study:
        """The study, or one of a part of its trials."""
        if trial.number < self._most or len(study.directions) > 1:
            return study
        if self._view.asking != trial.number:
            ended = study.get_trials(deepcopy=False, states=_ENDED)
            running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            if len(ended) <= self._most and len(running) <= self._most:
                return study
            best = _best(ended[: -self._most + _BEST], study.direction)
            shown = [*best, *ended[-self._most + _BEST :], *running[-self._most :]]
            self._view.show(shown, trial.number, study.direction)
        return self._view.study


class _View(InMemoryStorage):
    """A study of trials that lie elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self._trials_shown: Sequence[FrozenTrial] = ()
        self.asking: int | None = None  # number of the trial that they are shown for

    def show(self, trials: Sequence[FrozenTrial], asking: int, direction: StudyDirection) -> None:
        if self.asking is None:
            self.study = optuna.create_study(storage=self, direction=direction)
        self._trials_shown, self.asking = sorted(trials, key=attrgetter("number")), asking

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        found = [trial for trial in self._trials_shown if states is None or trial.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """What TPE tells other processes of a trial that it draws: those read it elsewhere."""


def _best(ended: Sequence[FrozenTrial], direction: StudyDirection) -> list[FrozenTrial]:
    """Feasible ones that were trained to their end come first for TPE; of pruned ones it takes what else it lacks."""
    whole = [trial for trial in ended if trial.state == TrialState.COMPLETE and not feasibility.misses(trial)]
    sign = 1 if direction == StudyDirection.MAXIMIZE else -1
    return nlargest(_BEST, whole, key=lambda trial: sign * trial.value)

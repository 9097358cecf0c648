"""A pruner for maps: a trial is compared with its like only. Beside large networks every small one would be stopped."""

from __future__ import annotations

import numpy as np
import optuna
from optuna import Study
from optuna.pruners import BasePruner, MedianPruner
from optuna.trial import FrozenTrial, TrialState

from sweeper.errors import ConfigError
from sweeper.sail.sampler import SAILSampler


class NichePruner(BasePruner):
    def __init__(self, base: BasePruner | None = None, *, k: int = 10):
        """base: decides, and hears only of the k ended trials that are nearest in the map. None: the median.

        Raises: ConfigError if k is below 2.
        """
        if not isinstance(k, int) or k < 2:
            raise ConfigError(f"hydra.sweeper.pruner.k={k}: give at least 2 neighbours to compare a trial with.")
        self._base, self._k = base or MedianPruner(n_startup_trials=4, n_warmup_steps=2), k

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Raises: ConfigError if the study's sampler has no map."""
        if not isinstance(study.sampler, SAILSampler):
            raise ConfigError(
                "hydra/sweeper/pruner=niche compares within a map: choose hydra/sweeper/sampler=sail too."
            )
        ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        ended = [other for other in ended if other.intermediate_values]
        places = study.sampler.places(study, [trial, *ended])
        distances = ((places[1:] - places[0]) ** 2).sum(axis=1)  # NaN where a place is not known
        known = np.flatnonzero(np.isfinite(distances))
        niche = optuna.create_study(direction=study.direction)
        niche.add_trials([ended[row] for row in known[np.argsort(distances[known], kind="stable")][: self._k]])
        return self._base.prune(niche, trial)

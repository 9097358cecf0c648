"""A pruner for maps: a trial is compared with its like only. Beside large networks every small one would be stopped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import optuna
from optuna import Study
from optuna.pruners import BasePruner, MedianPruner
from optuna.trial import FrozenTrial, TrialState

from sweeper.errors import ConfigError
from sweeper.sail import descriptor
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
        """Never the first of its cell: the map would lack it, and its like be asked for again.

        Raises: ConfigError if the study's sampler has no map.
        """
        if not isinstance(study.sampler, SAILSampler):
            raise ConfigError(
                "hydra/sweeper/pruner=niche compares within a map: choose hydra/sweeper/sampler=sail too."
            )
        ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        ended = [other for other in ended if other.intermediate_values]
        places = study.sampler.places(study, [trial, *ended])
        if _is_first(descriptor.cells(study.sampler.descriptors, places), ended):
            return False
        distances = ((places[1:] - places[0]) ** 2).sum(axis=1)  # NaN where a place is not known
        known = np.flatnonzero(np.isfinite(distances))
        niche = optuna.create_study(direction=study.direction)
        niche.add_trials([ended[row] for row in known[np.argsort(distances[known], kind="stable")][: self._k]])
        return self._base.prune(niche, trial)


def _is_first(cells: np.ndarray, ended: Sequence[FrozenTrial]) -> bool:
    """cells: of a trial, then of those that ended; -1 for one beyond the map."""
    can_lead = np.array([other.state == TrialState.COMPLETE and np.isfinite(other.value) for other in ended], bool)
    return cells[0] >= 0 and cells[0] not in cells[1:][can_lead]

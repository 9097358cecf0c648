"""How Optuna's samplers hear of constraints: since version 5 from the trial, before from a function they were given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from optuna import Trial
from optuna.trial import FrozenTrial

_SETS_CONSTRAINTS = hasattr(Trial, "set_constraint")
_GAPS = "sweeper.constraints"  # what that function reads of a trial
_FAR = 1e12  # stands for an infinite gap, which a model of the gaps could not learn from


def tell(trial: Trial, gaps: Mapping[str, float]) -> None:
    """gaps: by constraint, how far a trial that is about to be told is beyond its bound; 0 or less is feasible."""
    near = {constraint: min(gap, _FAR) for constraint, gap in gaps.items()}
    if _SETS_CONSTRAINTS:
        for constraint, gap in near.items():
            trial.set_constraint(constraint, gap)
    elif near:
        trial.set_user_attr(_GAPS, list(near.values()))


def misses(trial: FrozenTrial) -> bool:
    """Whether a trial that was told is beyond any bound."""
    gaps = trial.constraints.values() if _SETS_CONSTRAINTS else _told(trial)
    return any(gap > 0 for gap in gaps)


def _told(trial: FrozenTrial) -> Sequence[float]:
    return trial.user_attrs.get(_GAPS, ())


OPTIONS = {} if _SETS_CONSTRAINTS else {"constraints_func": _told}  # of a sampler that shall hear them

"""What Optuna's samplers can do: several objectives, constraints; and how they hear of constraints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optuna import Trial
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, NSGAIIISampler, NSGAIISampler, TPESampler
from optuna.trial import FrozenTrial

from sweeper.errors import ConfigError
from sweeper.settings import Settings

_CONSTRAINED = (TPESampler, NSGAIISampler, NSGAIIISampler, GPSampler)
_SETS_CONSTRAINTS = hasattr(Trial, "set_constraint")  # since Optuna 5; before, samplers took a function
_GAPS = "sweeper.constraints"  # what that function reads of a trial
_FAR = 1e12  # stands for an infinite gap, which a model of the gaps could not learn from


def check(sampler: BaseSampler, settings: Settings) -> None:
    """Raises: ConfigError if `sampler` cannot do what the settings want, which Optuna notices later or never."""
    name = type(sampler).__name__
    if len(settings.directions) > 1 and isinstance(sampler, CmaEsSampler):
        raise ConfigError(
            f"{name} searches one objective, not {len(settings.directions)} of hydra.sweeper.direction. "
            "Choose hydra/sweeper/sampler=nsgaii, nsgaiii or tpe."
        )
    if settings.constraints and not isinstance(sampler, _CONSTRAINED):
        raise ConfigError(
            f"{name} learns nothing from hydra.sweeper.constraints. Choose hydra/sweeper/sampler=tpe, nsgaii, nsgaiii "
            "or gp, or leave the constraints out."
        )


def options(settings: Settings) -> dict[str, Any]:
    """What a sampler is made with so that `tell_gaps` reaches it."""
    return {"constraints_func": _told_gaps} if settings.constraints and not _SETS_CONSTRAINTS else {}


def tell_gaps(trial: Trial, gaps: Mapping[str, float]) -> None:
    """gaps: by constraint, how far a trial that is about to be told is beyond its bound; 0 or less is feasible."""
    near = {constraint: min(gap, _FAR) for constraint, gap in gaps.items()}
    if _SETS_CONSTRAINTS:
        for constraint, gap in near.items():
            trial.set_constraint(constraint, gap)
    elif near:
        trial.set_user_attr(_GAPS, list(near.values()))


def _told_gaps(trial: FrozenTrial) -> Sequence[float]:
    return trial.user_attrs.get(_GAPS, ())

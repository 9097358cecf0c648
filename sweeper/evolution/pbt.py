"""Population-based training: what is taken over is changed a little, at random.

Source: Jaderberg et al. 2017, arXiv:1711.09846.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from sweeper.errors import ConfigError
from sweeper.evolution.method import Dimensions, Method, Past, check, drawn
from sweeper.evolution.told import Told


@dataclass(frozen=True)
class PBT(Method):
    factors: Sequence[float]  # a number is multiplied with one of them
    resample: float  # chance that a hyperparameter is drawn anew instead

    def __post_init__(self):
        super().__post_init__()
        check("resample", self.resample, "chance", 0, 1)
        are_numbers = isinstance(self.factors, Sequence) and all(
            isinstance(factor, int | float) and factor > 0 for factor in self.factors
        )
        if not are_numbers or not self.factors:
            raise ConfigError(f"evolution.factors={self.factors}: give a list of numbers above 0, [0.8, 1.25].")

    def explore(self, parent: Told, dimensions: Dimensions, past: Past, rng: np.random.Generator) -> dict[str, Any]:
        """The parent's hyperparameters, each perturbed or drawn anew; as is one that the parent has not.

        The space of a sweep that is resumed may have grown.
        """
        fresh = drawn(dimensions, rng)
        chosen = {}
        for key, of in dimensions.items():
            again, factor = rng.random() < self.resample, float(rng.choice(self.factors))
            stays = key in parent.values and not again
            chosen[key] = perturbed(parent.values[key], of, factor) if stays else fresh[key]
        return chosen


def perturbed(value: Any, of: BaseDistribution, factor: float) -> Any:
    """A number times `factor`, within its range; one that has steps moves one at least. A category stays."""
    if isinstance(of, CategoricalDistribution):
        return value
    step = of.step or (1 if isinstance(of, IntDistribution) else 0)
    moved = value * factor
    if step:
        steps = round((moved - of.low) / step)
        if of.low + steps * step == value and factor != 1:
            steps += 1 if factor > 1 else -1
        moved = of.low + steps * step
    return min(max(moved, of.low), of.high)

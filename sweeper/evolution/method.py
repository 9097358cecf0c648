"""What all kinds of population have in common: their size, how long a segment is, and how a first member is drawn."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution

from sweeper.errors import ConfigError
from sweeper.evolution.told import Told
from sweeper.records.lineage import Place
from sweeper.sail.genome import Genome

Dimensions = Mapping[str, BaseDistribution]  # by override key


@dataclass(frozen=True)
class Past:
    """What a choice can go by."""

    told: Sequence[Told]
    running: Sequence[tuple[Place, Mapping[str, Any]]]  # with their hyperparameters


@dataclass(frozen=True)
class Method(ABC):
    """Raises: ConfigError for a value that cannot be."""

    members: int
    every: int  # epochs of a segment
    quantile: float  # share of the members that is behind, and of those ahead

    def __post_init__(self):
        for key, low in (("members", 2), ("every", 1)):
            check(key, getattr(self, key), "whole number", low, whole=True)
        check("quantile", self.quantile, "share", 0, 0.5)

    @property
    def quorum(self) -> int:
        """Members that make a comparison: half of them, and two at least."""
        return max(2, math.ceil(self.members / 2))

    def segments(self, epochs: int) -> int:
        """Of a life of so many epochs. Raises: ConfigError if they do not make up segments."""
        if epochs % self.every:
            fitting = max(self.every, epochs - epochs % self.every)
            raise ConfigError(
                f"trainer.epochs={epochs} is no multiple of evolution.every={self.every}, the epochs of a segment. "
                f"Give trainer.epochs={fitting}, or another evolution.every."
            )
        return epochs // self.every

    @abstractmethod
    def explore(self, parent: Told, dimensions: Dimensions, past: Past, rng: np.random.Generator) -> dict[str, Any]:
        """What goes on from the parent's state is trained with."""


def drawn(dimensions: Dimensions, rng: np.random.Generator) -> dict[str, Any]:
    """Each value alike."""
    return Genome(dimensions).decode(rng.random((1, len(dimensions))))[0]


def check(key: str, value: Any, what: str, low: float, high: float | None = None, *, whole: bool = False) -> None:
    """Raises: ConfigError if evolution.`key` is not within its bounds."""
    fits = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not fits or value < low or (high is not None and value > high):
        bounds = f"from {low:g}" + ("" if high is None else f" to {high:g}")
        raise ConfigError(f"evolution.{key}={value}: give a {what} {bounds}.")

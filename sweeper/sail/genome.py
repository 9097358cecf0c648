"""Hyperparameters as genes: a number in 0..1 each, which evolution can change and a surrogate can learn from.

Integers and steps have a share of 0..1 for each value, logarithmic dimensions are cut in log space, categories have a
share each. A surrogate must not tell apart what a trial does not: it sees `features`, in which numbers stand at the
middle of their share, categories have a column each, and a dimension that does not exist for a trial stands at 0.5.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

ABSENT = 0.5
Active = Callable[[Mapping[str, Any]], Collection[str]]  # values of `deciding` dimensions -> names of those that exist


@dataclass(frozen=True)
class Genome:
    dimensions: Mapping[str, BaseDistribution]
    deciding: tuple[str, ...] = ()  # categorical dimensions that decide which others exist
    active: Active | None = None  # None: all exist always
    _known: dict[tuple, np.ndarray] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(self.dimensions)

    @cached_property
    def categorical(self) -> np.ndarray:
        """(genes,) bool."""
        return np.array([isinstance(of, CategoricalDistribution) for of in self.dimensions.values()], bool)

    @cached_property
    def most(self) -> int:
        """Dimensions that a trial has at most."""
        shares = product(*(range(len(self.dimensions[name].choices)) for name in self.deciding))
        return max(int(self._exist(each).sum()) for each in shares) if self.active else len(self.dimensions)

    @cached_property
    def groups(self) -> np.ndarray:
        """(features,) the gene that each feature is of."""
        widths = [len(of.choices) if isinstance(of, CategoricalDistribution) else 1 for of in self.dimensions.values()]
        return np.repeat(np.arange(len(widths)), widths)

    def features(self, genes: np.ndarray) -> np.ndarray:
        """(n, genes) -> (n, features)."""
        exists = self._existing(genes)
        columns = []
        for gene, of in enumerate(self.dimensions.values()):
            if isinstance(of, CategoricalDistribution):
                chosen = _share(genes[:, gene], len(of.choices))[:, None] == np.arange(len(of.choices))
                columns.append(np.where(exists[:, gene, None], chosen, ABSENT))
            else:
                columns.append(np.where(exists[:, gene], _middle(of, genes[:, gene]), ABSENT)[:, None])
        return np.concatenate(columns, axis=1).astype(float)

    def decode(self, genes: np.ndarray) -> list[dict[str, Any]]:
        """(n, genes) -> the hyperparameters of n trials, those that exist for them."""
        columns = [_values(of, genes[:, gene]) for gene, of in enumerate(self.dimensions.values())]
        return [
            {name: value for name, value, there in zip(self.names, row, here, strict=True) if there}
            for row, here in zip(zip(*columns, strict=True), self._existing(genes).tolist(), strict=True)
        ]

    def encode(self, trials: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Hyperparameters of n trials -> (n, genes). What a trial lacks, or what is beyond its range, is at 0.5."""
        genes = np.full((len(trials), len(self.dimensions)), ABSENT)
        for gene, (name, of) in enumerate(self.dimensions.items()):
            for row, trial in enumerate(trials):
                if name in trial:
                    genes[row, gene] = _gene(of, trial[name])
        return genes

    def _existing(self, genes: np.ndarray) -> np.ndarray:
        """(n, genes) bool."""
        if self.active is None or not self.deciding:
            return np.ones(genes.shape, bool)
        places = [self.names.index(name) for name in self.deciding]
        shares = np.stack(
            [_share(genes[:, place], len(self.dimensions[self.names[place]].choices)) for place in places], axis=1
        )
        different, which = np.unique(shares, axis=0, return_inverse=True)
        return np.stack([self._exist(tuple(row)) for row in different])[which.reshape(-1)]

    def _exist(self, shares: tuple[int, ...]) -> np.ndarray:
        if shares not in self._known:
            chosen = {
                name: self.dimensions[name].choices[share] for name, share in zip(self.deciding, shares, strict=True)
            }
            here = set(self.active(chosen))
            self._known[shares] = np.array([name in here for name in self.names], bool)
        return self._known[shares]


def _share(genes: np.ndarray, count: int) -> np.ndarray:
    """0..1 -> 0..count - 1."""
    return np.clip((np.asarray(genes) * count).astype(int), 0, count - 1)


def _is_fine(of: BaseDistribution) -> bool:
    """Any number of its range can be drawn."""
    return not isinstance(of, IntDistribution) and of.step is None


def _bounds(of: BaseDistribution) -> tuple[float, float]:
    """Of the line that a gene runs along: half a step wider where there are steps, so that each has its share."""
    margin = 0.0 if _is_fine(of) else (of.step or 1) / 2
    low, high = of.low - margin, of.high + margin
    return (math.log(low), math.log(high)) if of.log else (low, high)


def _middle(of: BaseDistribution, genes: np.ndarray) -> np.ndarray:
    """Where the numbers that genes stand for lie in 0..1. (n,) -> (n,)."""
    return np.clip(genes, 0, 1) if _is_fine(of) else _place(of, _number(of, genes))


def _number(of: BaseDistribution, genes: np.ndarray) -> np.ndarray:
    low, high = _bounds(of)
    line = low + np.clip(genes, 0, 1) * (high - low)
    numbers = np.exp(line) if of.log else line
    if not _is_fine(of):
        step = of.step or 1
        numbers = of.low + np.round((numbers - of.low) / step) * step
    return np.clip(numbers, of.low, of.high)


def _place(of: BaseDistribution, numbers: np.ndarray) -> np.ndarray:
    low, high = _bounds(of)
    return ((np.log(numbers) if of.log else numbers) - low) / ((high - low) or 1.0)


def _values(of: BaseDistribution, genes: np.ndarray) -> list[Any]:
    if isinstance(of, CategoricalDistribution):
        return [of.choices[share] for share in _share(genes, len(of.choices)).tolist()]
    numbers = _number(of, genes)
    return (np.round(numbers).astype(int) if isinstance(of, IntDistribution) else numbers).tolist()


def _gene(of: BaseDistribution, value: Any) -> float:
    if isinstance(of, CategoricalDistribution):
        places = [place for place, choice in enumerate(of.choices) if choice == value and type(choice) is type(value)]
        return (places[0] + 0.5) / len(of.choices) if places else ABSENT
    return float(np.clip(_place(of, np.array(float(value))), 0, 1)) if of.low <= value <= of.high else ABSENT

"""Which candidates of an acquisition map are trained next.

Those that are expected to improve most on the elite of their cell ("gain"), or evenly over the map ("sobol"), which is
the way of Gaier, Asteroth and Mouret 2018, arXiv:1806.05865.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from scipy.stats import norm, qmc

from sweeper.errors import ConfigError
from sweeper.sail import descriptor
from sweeper.sail.illumination import Illumination
from sweeper.sail.surrogate import Surrogate
from sweeper.sail.told import Told

# Hyperparameters of a trial -> the descriptors that are known of it without a training, but take a moment to find out.
Costs = Callable[[Mapping[str, Any]], Mapping[str, float]]
WAYS = ("gain", "sobol")
_TRIES = 3  # candidates that are asked for their costs, for each that is wanted
_SAME = 1e-9  # squared distance of features below which two trials are one


@dataclass(frozen=True)
class Candidate:
    genes: np.ndarray
    costs: Mapping[str, float] = field(default_factory=dict)  # the descriptors that are known of it


@dataclass(frozen=True)
class Selection:
    """Raises: ConfigError for a way that there is not, or a batch of none."""

    way: str
    batch_size: int
    nested: bool
    costs: Costs | None

    def __post_init__(self):
        if self.way not in WAYS:
            raise ConfigError(f"hydra.sweeper.sampler.selection={self.way}: give {' or '.join(WAYS)}.")
        if not isinstance(self.batch_size, int) or self.batch_size < 1:
            raise ConfigError(f"hydra.sweeper.sampler.batch_size={self.batch_size}: give a whole number from 1.")

    def of(self, found: Illumination, known: Told, model: Surrogate, rng: np.random.Generator) -> Iterator[Candidate]:
        """Up to batch_size new ones. found: the acquisition map."""
        cells = found.archive.filled
        features = model.genome.features(found.genes[cells])
        seen = model.genome.features(np.concatenate([known.genes, known.running]))
        new = ((features[:, None] - seen[None]) ** 2).sum(axis=2).min(axis=1) > _SAME
        cells = cells[new]
        if not len(cells):
            return iter(())
        drawn = self._promising if self.way == "gain" else self._spread
        return islice(drawn(cells, found.genes[cells], known, model, rng), self.batch_size)

    def _spread(
        self, cells: np.ndarray, genes: np.ndarray, known: Told, model: Surrogate, rng: np.random.Generator
    ) -> Iterator[Candidate]:
        """Those nearest to the cells that a Sobol sequence draws."""
        shape = descriptor.shape(model.descriptors)
        wanted = (qmc.Sobol(len(shape), rng=rng).random(min(self.batch_size, len(cells))) * shape).astype(int)
        here = np.stack(np.unravel_index(cells, shape), axis=1)
        nearest = ((here[None] - wanted[:, None]) ** 2).sum(axis=2).argmin(axis=1)
        for place in np.unique(nearest):
            yield self._priced(genes[place], model)

    def _promising(
        self, cells: np.ndarray, genes: np.ndarray, known: Told, model: Surrogate, rng: np.random.Generator
    ) -> Iterator[Candidate]:
        """Those first that are expected to improve their cells most.

        Costs put a candidate into the cell where it really is. It is asked for them when its turn comes, and has to
        wait if others promise more by then (lazy evaluation: Minoux 1978).
        """
        floors = self._floors(known, model)
        gains = _gains(genes, cells, floors, model)
        waiting = [(-gain, place, None) for place, gain in enumerate(gains) if gain > 0]
        heapq.heapify(waiting)
        tries = _TRIES * self.batch_size
        while waiting and tries:
            _, place, candidate = heapq.heappop(waiting)
            if candidate or self.costs is None:
                yield candidate or Candidate(genes[place])
                continue
            tries -= 1
            candidate = self._priced(genes[place], model)
            cell = _cell(candidate, model)
            if cell >= 0:
                gain = _gains(genes[place][None], np.array([cell]), floors, model, candidate.costs)[0]
                if gain > 0:
                    heapq.heappush(waiting, (-gain, place, candidate))

    def _priced(self, genes: np.ndarray, model: Surrogate) -> Candidate:
        costs = self.costs(model.genome.decode(genes[None])[0]) if self.costs else {}
        return Candidate(genes, {axis.name: costs[axis.name] for axis in model.descriptors if axis.name in costs})

    def _floors(self, known: Told, model: Surrogate) -> np.ndarray:
        """(cells,) what a trial in each cell has to beat: its elite, or the worst of all where it is empty."""
        archive = known.archive(model.descriptors)
        archive = archive.nested() if self.nested else archive
        return np.maximum(archive.scores, known.values[known.can_lead].min())


def _cell(candidate: Candidate, model: Surrogate) -> int:
    """-1 beyond the map."""
    genes = candidate.genes[None]
    scaled = model.scaled(genes, model.genome.features(genes))
    for place, axis in enumerate(model.descriptors):
        if axis.name in candidate.costs:
            scaled[0, place] = axis.scaled(candidate.costs[axis.name])
    return int(descriptor.cells(model.descriptors, scaled)[0])


def _gains(
    genes: np.ndarray, cells: np.ndarray, floors: np.ndarray, model: Surrogate, known: Collection[str] = ()
) -> np.ndarray:
    """(n, genes), (n,), (cells,) -> (n,) what each is expected to add to its cell. known: its descriptors that are."""
    features = model.genome.features(genes)
    mean, deviation = model.value.predict_with_deviation(features)
    return _expected_improvement(mean, deviation, floors[cells]) * model.landing(features, cells, known)


def _expected_improvement(mean: np.ndarray, deviation: np.ndarray, best: np.ndarray) -> np.ndarray:
    """(n,) each. Source: Jones, Schonlau and Welch 1998, Efficient global optimization, equation 15."""
    ahead = mean - best
    standard = ahead / deviation
    return np.maximum(ahead * norm.cdf(standard) + deviation * norm.pdf(standard), 0)

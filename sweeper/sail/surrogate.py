"""What trainings would give, without training: of any hyperparameters the value, how sure that is, and the cell."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from sweeper.sail import descriptor, gaussian_process
from sweeper.sail.descriptor import Descriptor
from sweeper.sail.gaussian_process import GaussianProcess, Kernel
from sweeper.sail.genome import Genome
from sweeper.sail.told import Told

VALUE = ""  # the name of the value among the outputs, whose others are descriptors
MOST = 600  # trials that a Gaussian process learns from; its time grows with their cube
Kernels = Mapping[str, Kernel]  # by output


@dataclass(frozen=True)
class Surrogate:
    genome: Genome
    descriptors: tuple[Descriptor, ...]
    value: GaussianProcess
    observed: dict[str, GaussianProcess]  # of the scaled descriptors that only a training tells

    def judge(self, genes: np.ndarray, kappa: float) -> tuple[np.ndarray, np.ndarray]:
        """(n, genes) -> values expected, `kappa` deviations above the mean, and the cells; (n,) each."""
        features = self.genome.features(genes)
        if kappa:
            mean, deviation = self.value.predict_with_deviation(features)
            return mean + kappa * deviation, self.cells(genes, features)
        return self.value.predict(features), self.cells(genes, features)

    def cells(self, genes: np.ndarray, features: np.ndarray) -> np.ndarray:
        return descriptor.cells(self.descriptors, self.scaled(genes, features))

    def scaled(self, genes: np.ndarray, features: np.ndarray) -> np.ndarray:
        """(n, genes), (n, features) -> (n, descriptors)."""
        params = self.genome.decode(genes) if any(axis.fn for axis in self.descriptors) else []
        axes = [
            axis.scaled(axis.fn(params)) if axis.fn else self.observed[axis.name].predict(features)
            for axis in self.descriptors
        ]
        return np.stack(axes, axis=1)

    def landing(self, features: np.ndarray, cells: np.ndarray, known: Collection[str] = ()) -> np.ndarray:
        """Probabilities that trials are in the cells that they are expected in. (n, features), (n,) -> (n,)

        known: descriptors that leave no doubt.
        """
        chance = np.ones(len(cells))
        places = np.unravel_index(cells, descriptor.shape(self.descriptors))
        for axis, place in zip(self.descriptors, places, strict=True):
            if axis.name in self.observed and axis.name not in known:
                process = self.observed[axis.name]
                mean, deviation = process.predict_with_deviation(features)
                deviation = np.hypot(deviation, process.noise)  # of one trial
                low, high = (norm.cdf(((place + end) / axis.bins - mean) / deviation) for end in (0, 1))
                chance = chance * (high - low)
        return chance

    @property
    def kernels(self) -> Kernels:
        return {VALUE: self.value.kernel} | {name: process.kernel for name, process in self.observed.items()}


def learned(
    told: Told, genome: Genome, descriptors: Sequence[Descriptor], kernels: Kernels | None, *, learn: bool
) -> Surrogate | None:
    """None if a descriptor that only trainings tell was not told yet.

    kernels: of an earlier one, to begin with, or to keep if `learn` is False.
    What runs counts as if it had given what is expected of it (kriging believer: Ginsbourger et al. 2010), so that
    nobody asks for the same twice.
    """
    kernels = kernels or {}
    rows = _worth_learning(told)
    features = genome.features(told.genes[rows])
    observed = {}
    for place, axis in enumerate(descriptors):
        if axis.fn is None:
            scaled = told.scaled[rows, place]
            known = np.isfinite(scaled)
            if not known.any():
                return None
            observed[axis.name] = gaussian_process.fit(
                features[known], scaled[known], genome.groups, start=kernels.get(axis.name), learn=learn
            )
    noise = told.extra_noise[rows]
    value = gaussian_process.fit(
        features, told.values[rows], genome.groups, extra_noise=noise, start=kernels.get(VALUE), learn=learn
    )
    if len(told.running):
        running = genome.features(told.running)
        value = gaussian_process.fit(
            np.concatenate([features, running]),
            np.concatenate([told.values[rows], value.predict(running)]),
            genome.groups,
            extra_noise=np.concatenate([noise, np.zeros(len(running))]),
            start=value.kernel,
            learn=False,
        )
    return Surrogate(genome, tuple(descriptors), value, observed)


def _worth_learning(told: Told) -> np.ndarray:
    """Rows: all of them, or the best half and the latest of a long study."""
    if len(told) <= MOST:
        return np.arange(len(told))
    best = np.argsort(-told.values, kind="stable")[: MOST // 2]
    rest = np.setdiff1d(np.arange(len(told)), best)
    return np.sort(np.concatenate([best, rest[-(MOST - len(best)) :]]))

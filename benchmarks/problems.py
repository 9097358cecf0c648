"""What benchmarks/illuminate.py searches: hyperparameters, what each gives, and the map of what it is to be best in.

Three cost nothing, so that nearly all of what can be reached is known; the fourth are real trainings, each done before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import perceptron
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from scipy.stats import qmc

from sweeper.sail import descriptor
from sweeper.sail.archive import Archive
from sweeper.sail.descriptor import Descriptor
from sweeper.sail.genome import Genome
from sweeper.sail.illumination import Evolution, illuminate

Trials = Sequence[Mapping[str, Any]]  # hyperparameters of each
_EVOLUTION, _FIRST = Evolution(generations=1000, children=256), 4096  # true evaluations: 260,096


@dataclass(frozen=True)
class Problem:
    genome: Genome
    descriptors: tuple[Descriptor, ...]  # exact
    value: Callable[[Trials], np.ndarray]  # of n trials -> (n,), higher is better
    floor: float  # the lowest value that there can be
    ceiling: float  # and the highest

    def cells(self, trials: Trials) -> np.ndarray:
        """(n,) of the map."""
        scaled = [axis.scaled(axis.fn(trials)) for axis in self.descriptors]
        return descriptor.cells(self.descriptors, np.stack(scaled, axis=1))

    def reference(self) -> Archive:
        """The best that MAP-Elites finds in each cell by true evaluations."""

        def judge(genes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            trials = self.genome.decode(genes)
            return self.value(trials), self.cells(trials)

        rng = np.random.default_rng(0)
        first = qmc.Sobol(len(self.genome.names), rng=rng).random(_FIRST)
        return illuminate(judge, first, self.genome.categorical, self.descriptors, _EVOLUTION, rng).archive


@dataclass(frozen=True)
class Tabular(Problem):
    table: np.ndarray  # (values of the first dimension, …) all that there is

    def reference(self) -> Archive:
        trials = [self._trial(places) for places in np.ndindex(self.table.shape)]
        return Archive.empty(self.descriptors).added(
            self.value(trials), self.cells(trials), np.arange(len(trials), dtype=int)
        )

    def _trial(self, places: tuple[int, ...]) -> dict[str, Any]:
        dimensions = zip(self.genome.dimensions.items(), places, strict=True)
        return {
            name: of.choices[place] if isinstance(of, CategoricalDistribution) else place
            for (name, of), place in dimensions
        }


def columns(trials: Trials, names: Sequence[str]) -> np.ndarray:
    """(names, n)"""
    return np.array([[trial[name] for trial in trials] for name in names], float).reshape(len(names), -1)


def arm() -> Problem:
    """Six joints of a planar arm (Cully et al. 2015): bent evenly is best, the map is of where its hand is."""
    joints = [f"joint_{number}" for number in range(6)]

    def hand(trials: Trials) -> np.ndarray:
        """(n,) complex"""
        return np.exp(1j * np.cumsum(columns(trials, joints), axis=0)).mean(axis=0)

    return Problem(
        Genome({name: FloatDistribution(-np.pi, np.pi) for name in joints}),
        (
            Descriptor("x", -1, 1, fn=lambda trials: hand(trials).real),
            Descriptor("y", -1, 1, fn=lambda trials: hand(trials).imag),
        ),
        lambda trials: -columns(trials, joints).var(axis=0),
        floor=-(np.pi**2),
        ceiling=0.0,
    )


def rastrigin() -> Problem:
    """Six dimensions, projected to the sums of their halves (Fontaine et al. 2020, arXiv:1912.02400)."""
    names, end = [f"x_{number}" for number in range(6)], 5.12

    def one(x: np.ndarray) -> np.ndarray:
        away = x - 0.4 * end
        return 10 + away**2 - 10 * np.cos(2 * np.pi * away)

    return Problem(
        Genome({name: FloatDistribution(-end, end) for name in names}),
        (
            Descriptor("first half", -3 * end, 3 * end, fn=lambda trials: columns(trials, names[:3]).sum(axis=0)),
            Descriptor("second half", -3 * end, 3 * end, fn=lambda trials: columns(trials, names[3:]).sum(axis=0)),
        ),
        lambda trials: -one(columns(trials, names)).sum(axis=0),
        floor=-6 * float(one(np.linspace(-end, end, 100_001)).max()),
        ceiling=0.0,
    )


def network() -> Problem:
    """A formula in the shape of a search for a small convolutional network: its accuracy after ten epochs."""
    kinds = {"sgd": 0.99, "adam": 1.0}  # what each comes to
    of = {
        "lr": FloatDistribution(1e-5, 1.0, log=True),
        "dropout": FloatDistribution(0, 0.6),
        "width": IntDistribution(4, 128, log=True),
        "depth": IntDistribution(1, 6),
        "resolution": IntDistribution(8, 48, log=True),
        "kernel": CategoricalDistribution([3, 5, 7]),
        "optimizer": CategoricalDistribution(list(kinds)),
        "momentum": FloatDistribution(0, 0.99),
    }

    def weights(trials: Trials) -> np.ndarray:
        width, depth, kernel = columns(trials, ["width", "depth", "kernel"])
        return kernel**2 * (width + (depth - 1) * width**2) + 11 * width

    def operations(trials: Trials) -> np.ndarray:
        """In millions. The first two layers see all of the image, the others a quarter of it."""
        width, depth, kernel, resolution = columns(trials, ["width", "depth", "kernel", "resolution"])
        layers = width + width**2 * (np.minimum(depth, 2) - 1) + width**2 * np.maximum(depth - 2, 0) / 4
        return 2e-6 * kernel**2 * resolution**2 * layers

    def accuracy(trials: Trials) -> np.ndarray:
        lr, dropout, depth, kernel, resolution = columns(trials, ["lr", "dropout", "depth", "kernel", "resolution"])
        is_adam = np.array([trial["optimizer"] == "adam" for trial in trials])
        momentum = np.array([trial.get("momentum", 0.0) for trial in trials])
        size = np.log10(weights(trials))
        ahead = np.log10(np.where(is_adam, lr, lr / (1 - momentum) / 30)) - (-2.2 - 0.35 * (size - 4))  # of the best
        epochs = 10 * np.exp(-((np.where(ahead > 0, ahead / 0.6, ahead / 1.2)) ** 2))  # that lead somewhere
        seen = np.minimum(1, (1 + depth * (kernel - 1)) / resolution)  # of the image, by the last layer
        end = 0.99 - 0.35 * np.exp(-(size - 2) / 1.1) - 0.12 * np.exp(-(resolution - 8) / 8) - 0.1 * (1 - seen) ** 2
        end -= 0.06 * np.maximum(0, size - 4) * (0.6 - dropout) ** 2 + 0.25 * np.maximum(0, 4 - size) * dropout**2
        end -= 0.01 * np.abs(depth - 3)
        end *= np.array([kinds[trial["optimizer"]] for trial in trials])
        return 0.1 + (end - 0.1) * (1 - np.exp(-epochs / 2))

    return Problem(
        Genome(of, ("optimizer",), lambda chosen: [name for name in of if name != "momentum" or _is_sgd(chosen)]),
        (
            Descriptor("parameters", 1e2, 1e6, log=True, fn=weights),
            Descriptor("MFLOPs", 1e-2, 1e4, log=True, fn=operations),
        ),
        accuracy,
        floor=0.0,
        ceiling=1.0,
    )


def _is_sgd(chosen: Mapping[str, Any]) -> bool:
    return chosen["optimizer"] == "sgd"


def digits() -> Problem:
    """Real perceptrons; numbers are searched by their places in the grid."""
    table = perceptron.table()
    grid = perceptron.GRID
    of = {
        name: CategoricalDistribution(values) if isinstance(values[0], str) else IntDistribution(0, len(values) - 1)
        for name, values in grid.items()
    }

    def given(trials: Trials, name: str) -> np.ndarray:
        return np.array(grid[name])[columns(trials, [name])[0].astype(int)]

    def weights(trials: Trials) -> np.ndarray:
        return perceptron.parameters(given(trials, "width"), given(trials, "depth"))

    def operations(trials: Trials) -> np.ndarray:
        return perceptron.operations(*(given(trials, name) for name in ("width", "depth", "epochs")))

    def accuracy(trials: Trials) -> np.ndarray:
        places = [
            [values.index(trial[name]) if isinstance(values[0], str) else trial[name] for trial in trials]
            for name, values in grid.items()
        ]
        return table[tuple(np.array(places, int))]

    return Tabular(
        Genome(of),
        (
            Descriptor("parameters", 3e2, 5e4, log=True, fn=weights),
            Descriptor("operations", 2e6, 6e9, log=True, fn=operations),
        ),
        accuracy,
        floor=0.0,
        ceiling=1.0,
        table=table,
    )


PROBLEMS = {"arm": arm, "rastrigin": rastrigin, "network": network, "digits": digits}

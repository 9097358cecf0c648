"""SAIL as a sampler of Optuna's: asks for the trials that promise most for the map, not only for its best cell.

Source: Gaier, Asteroth and Mouret 2018, Data-efficient design exploration through surrogate-assisted illumination,
arXiv:1806.05865. There the next trials are drawn evenly from the acquisition map (selection="sobol"); here they are the
ones that are expected to improve most on the elite of their cell (selection="gain"). Drawn in proportion to that, they
made worse maps, after 50 trials, of all problems of benchmarks/illuminate.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState
from scipy.stats import norm, qmc

from sweeper.errors import ConfigError
from sweeper.sail import surrogate, told
from sweeper.sail.archive import Archive
from sweeper.sail.descriptor import Descriptor, Exact
from sweeper.sail.genome import Active, Genome
from sweeper.sail.illumination import Evolution, Illumination, illuminate
from sweeper.sail.surrogate import Kernels, Surrogate
from sweeper.sail.told import Told

_SAME = 1e-9  # squared distance of features below which two trials are one
_RELEARN = 20  # kernels are learned anew when a 20th of the trials is new


class SAILSampler(BaseSampler):
    """All that it knows is in the study: another process, or a resumed sweep, goes on with it."""

    def __init__(
        self,
        descriptors: Sequence[Descriptor] | Mapping[str, Mapping[str, Any]],
        *,
        search_space: Mapping[str, BaseDistribution] | None = None,
        deciding: Sequence[str] = (),
        active: Active | None = None,
        exact: Mapping[str, Exact] | None = None,
        n_startup_trials: int | None = None,
        batch_size: int = 1,
        kappa: float = 1.0,
        selection: str = "gain",
        n_generations: int = 60,
        n_children: int = 128,
        mutation_sigma: float = 0.1,
        nested: bool = False,
        seed: int | None = None,
    ):
        """descriptors: the axes of the map, {"parameters": {"low": 1e3, "high": 1e6, "bins": 10, "log": True}}.
        search_space: all dimensions by name; None: those that trials of the study had, once there are any.
        deciding, active: as Genome has them, where dimensions depend on categories.
        exact: functions of descriptors that need no training. Others are read from the user attributes of trials.
        n_startup_trials: of a Sobol sequence, before anything is learned; None: 3 a dimension and at least 16.
        batch_size: trials asked for between two illuminations.
        kappa: deviations above its mean that a candidate is credited with.
        nested: the elite of a cell is the best of all cells inside of its budgets.

        Raises: ConfigError if there is no descriptor, or a setting makes no sense.
        """
        exact = exact or {}
        if isinstance(descriptors, Mapping):
            descriptors = [Descriptor(name, fn=exact.get(name), **axis) for name, axis in descriptors.items()]
        self.descriptors = tuple(descriptors)
        if not self.descriptors:
            raise ConfigError("SAIL needs a map: give descriptors, {parameters: {low: 1e3, high: 1e6, log: true}}")
        if selection not in ("gain", "sobol"):
            raise ConfigError(f"selection={selection}: give gain or sobol.")
        self._space, self._deciding, self._active = search_space, tuple(deciding), active
        self._n_startup, self._batch_size, self._kappa = n_startup_trials, batch_size, kappa
        self._selection, self._nested = selection, nested
        self._evolution = Evolution(n_generations, n_children, mutation_sigma)
        self._seed = int(np.random.SeedSequence().entropy % 2**32) if seed is None else seed
        self._independent = RandomSampler(self._seed)
        self._model: Surrogate | None = None  # this and what follows only saves time
        self._learned_from = 0  # trials
        self._queue: list[np.ndarray] = []
        self._known: Genome | None = None

    def reseed_rng(self) -> None:
        self._independent.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return dict(self.genome(study).dimensions)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        genome = self.genome(study)
        if not genome.names:
            return {}
        known = told.read(study, genome, self.descriptors, asking=trial.number)
        startup = max(16, 3 * len(genome.names)) if self._n_startup is None else self._n_startup
        if len(known) + len(known.running) < startup or not known.can_lead.any():
            return genome.decode(self._sobol(len(genome.names), trial.number))[0]
        if not self._queue:
            self._queue = list(self._proposed(known, genome, np.random.default_rng([self._seed, trial.number])))
        genes = self._queue.pop() if self._queue else self._sobol(len(genome.names), trial.number)[0]
        return genome.decode(genes[None])[0]

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any) -> Any:
        """Of a dimension that no trial had before."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Keeps the descriptors that are known without a training beside those that trials tell."""
        for axis in self.descriptors:
            if axis.fn is not None and axis.name not in trial.user_attrs and trial.params:
                exact = float(axis.fn([trial.params])[0])
                study._storage.set_trial_user_attr(trial._trial_id, axis.name, exact)  # as Optuna's own samplers do

    def genome(self, study: Study) -> Genome:
        if self._space is None:
            seen = {}
            for trial in study.get_trials(deepcopy=False):
                seen |= trial.distributions
            if self._known is None or set(seen) != set(self._known.names):
                self._known = Genome(dict(sorted(seen.items())))
        elif self._known is None:
            self._known = Genome(self._space, self._deciding, self._active)
        return self._known

    def archive(self, study: Study) -> Archive:
        """The elites that were trained. Holders are numbers of trials."""
        known = told.read(study, self.genome(study), self.descriptors)
        archive = known.archive(self.descriptors)
        numbers = np.where(archive.holders >= 0, known.numbers[archive.holders], -1)
        return Archive(archive.shape, archive.scores, numbers)

    def places(self, study: Study, trials: Sequence[FrozenTrial]) -> np.ndarray:
        """(n, descriptors) in the map, 0..1 along each axis: told, known without a training, or expected; else NaN."""
        scaled = told.scaled(trials, self.descriptors)
        if self._model is None or not np.isnan(scaled).any():
            return scaled
        genes = self._model.genome.encode([trial.params for trial in trials])
        return np.where(np.isnan(scaled), self._model.scaled(genes, self._model.genome.features(genes)), scaled)

    def surrogate(self, study: Study) -> tuple[Told, Surrogate | None]:
        """What the trials of a study teach, learned anew."""
        known = told.read(study, self.genome(study), self.descriptors)
        if not known.can_lead.any():
            return known, None
        return known, surrogate.learned(known, self.genome(study), self.descriptors, self._kernels(), learn=True)

    def illuminated(self, known: Told, model: Surrogate, kappa: float, rng: np.random.Generator) -> Illumination:
        """The map that evolution fills with what the surrogate expects; kappa 0: the prediction map."""
        names = len(model.genome.names)
        fresh = qmc.Sobol(names, rng=rng).random(self._evolution.children)
        first = np.concatenate([known.genes[known.can_lead], fresh])
        return illuminate(
            lambda genes: model.judge(genes, kappa),
            first,
            model.genome.categorical,
            self.descriptors,
            self._evolution,
            rng,
        )

    def _proposed(self, known: Told, genome: Genome, rng: np.random.Generator) -> np.ndarray:
        """(up to batch_size, genes), last one first."""
        learn = self._model is None or len(known) - self._learned_from >= max(1, self._learned_from // _RELEARN)
        model = surrogate.learned(known, genome, self.descriptors, self._kernels(), learn=learn)
        if model is None:
            return np.empty((0, len(genome.names)))
        self._model, self._learned_from = model, len(known) if learn else self._learned_from
        found = self.illuminated(known, model, self._kappa, rng)
        return self._chosen(found, known, model, rng)

    def _kernels(self) -> Kernels | None:
        return self._model and self._model.kernels

    def _chosen(self, found: Illumination, known: Told, model: Surrogate, rng: np.random.Generator) -> np.ndarray:
        """Of the elites of the acquisition map, those that are new and promise most, or those of Sobol's cells."""
        cells = found.archive.filled
        genes = found.genes[cells]
        features = model.genome.features(genes)
        seen = model.genome.features(np.concatenate([known.genes, known.running]))
        new = ((features[:, None] - seen[None]) ** 2).sum(axis=2).min(axis=1) > _SAME
        cells, genes, features = cells[new], genes[new], features[new]
        count = min(self._batch_size, len(cells))
        if self._selection == "sobol":
            point = qmc.Sobol(len(self.descriptors), rng=rng).random(max(1, count))
            wanted = (point * found.archive.shape).astype(int)
            here = np.stack(np.unravel_index(cells, found.archive.shape), axis=1)
            nearest = ((here[None] - wanted[:, None]) ** 2).sum(axis=2).argmin(axis=1) if len(cells) else []
            return genes[np.unique(nearest)] if len(cells) else genes
        mean, deviation = model.value.predict_with_deviation(features)
        gain = _expected_improvement(mean, deviation, self._floors(known)[cells]) * model.landing(features, cells)
        most = np.argsort(-gain, kind="stable")[:count]
        return genes[most[gain[most] > 0]][::-1]

    def _floors(self, known: Told) -> np.ndarray:
        """(cells,) what a trial in each cell has to beat: its elite, or the worst of all where it is empty."""
        archive = known.archive(self.descriptors)
        archive = archive.nested() if self._nested else archive
        return np.maximum(archive.scores, known.values[known.can_lead].min())

    def _sobol(self, dimensions: int, number: int) -> np.ndarray:
        """(1, genes) point `number` of a scrambled Sobol sequence."""
        sequence = qmc.Sobol(dimensions, rng=np.random.default_rng(self._seed))
        return (sequence.fast_forward(number) if number else sequence).random(1)  # SciPy cannot go on by 0


def _expected_improvement(mean: np.ndarray, deviation: np.ndarray, best: np.ndarray) -> np.ndarray:
    """(n,) each. Source: Jones, Schonlau and Welch 1998, Efficient global optimization, equation 15."""
    ahead = mean - best
    standard = ahead / deviation
    return np.maximum(ahead * norm.cdf(standard) + deviation * norm.pdf(standard), 0)

"""SAIL as a sampler of Optuna's: asks for the trials that promise most for the map, not only for its best cell.

Source: Gaier, Asteroth and Mouret 2018, Data-efficient design exploration through surrogate-assisted illumination,
arXiv:1806.05865; which trials are next, see `selection`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState
from scipy.stats import qmc

from sweeper.errors import ConfigError
from sweeper.sail import descriptor, surrogate, told
from sweeper.sail.archive import Archive
from sweeper.sail.descriptor import Descriptor, Exact
from sweeper.sail.genome import Active, Genome
from sweeper.sail.illumination import Evolution, Illumination, illuminate
from sweeper.sail.selection import Candidate, Costs, Selection
from sweeper.sail.surrogate import Kernels, Surrogate
from sweeper.sail.told import Told

_RELEARN = 20  # kernels are learned anew when a 20th of the trials is new


class SAILSampler(BaseSampler):
    """All that it knows is in the study: another process, or a resumed sweep, goes on with it."""

    def __init__(
        self,
        descriptors: Sequence[Descriptor] | Mapping[str, Mapping[str, Any]],
        *,
        axes: Sequence[str] | None = None,
        search_space: Mapping[str, BaseDistribution] | None = None,
        deciding: Sequence[str] = (),
        active: Active | None = None,
        exact: Mapping[str, Exact] | None = None,
        costs: Costs | None = None,
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
        """descriptors: what may be an axis, {"parameters": {"low": 1e3, "high": 1e6, "bins": 10, "log": True}}.
        axes: names of those that the map has; None: all.
        search_space: all dimensions by name; None: those that trials of the study had, once there are any.
        deciding, active: as Genome has them, where dimensions depend on categories.
        exact: functions of descriptors that need no training. Others are read from the user attributes of trials.
        costs: tells descriptors before a training, too, but is too slow for every candidate of the evolution: it is
            asked about those that are to be trained. Evolution goes by what is expected.
        n_startup_trials: of a Sobol sequence, before anything is learned; None: 3 for each dimension that a trial has,
            at least 16.
        batch_size: trials asked for between two illuminations.
        kappa: deviations above its mean that a candidate is credited with.
        nested: the elite of a cell is the best of all cells inside of its budgets.

        Raises: ConfigError if there is no axis, or a setting makes no sense.
        """
        self.descriptors = descriptor.chosen(descriptors, axes, exact or {})
        self.kept = tuple(one if isinstance(one, str) else one.name for one in descriptors)  # also those of no axis
        self._space, self._deciding, self._active = search_space, tuple(deciding), active
        self._n_startup, self._kappa = n_startup_trials, kappa
        self._selection = Selection(selection, batch_size, nested, costs)
        self._evolution = Evolution(n_generations, n_children, mutation_sigma)
        self._seed = int(np.random.SeedSequence().entropy % 2**32) if seed is None else seed
        self._independent = RandomSampler(self._seed)
        self._model: Surrogate | None = None  # this and what follows only saves time
        self._learned_from = 0  # trials
        self._queue: deque[Candidate] = deque()
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
        startup = max(16, 3 * genome.most) if self._n_startup is None else self._n_startup
        if len(known) + len(known.running) < startup or not known.can_lead.any():
            return genome.decode(self._sobol(len(genome.names), trial.number))[0]
        if not self._queue:
            self._queue.extend(self._proposed(known, genome, np.random.default_rng([self._seed, trial.number])))
        if not self._queue:
            return genome.decode(self._sobol(len(genome.names), trial.number))[0]
        candidate = self._queue.popleft()
        if "fixed_params" not in trial.system_attrs:  # the user's own, of which the candidate completes the rest
            self._note(study, trial, candidate.costs)
        return genome.decode(candidate.genes[None])[0]

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any) -> Any:
        """Of a dimension that no trial had before."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Keeps the descriptors that are known without a training beside those that trials tell."""
        for axis in self.descriptors:
            if axis.fn is not None and axis.name not in trial.user_attrs and trial.params:
                self._note(study, trial, {axis.name: float(axis.fn([trial.params])[0])})

    def _note(self, study: Study, trial: FrozenTrial, descriptors: Mapping[str, float]) -> None:
        for name, value in descriptors.items():
            study._storage.set_trial_user_attr(trial._trial_id, name, value)  # as Optuna's own samplers do

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

    def _proposed(self, known: Told, genome: Genome, rng: np.random.Generator) -> Iterator[Candidate]:
        """Up to batch_size."""
        learn = self._model is None or len(known) - self._learned_from >= max(1, self._learned_from // _RELEARN)
        model = surrogate.learned(known, genome, self.descriptors, self._kernels(), learn=learn)
        if model is None:
            raise ConfigError(
                f"No finished trial has told {' and '.join(told.lacking(known, self.descriptors))}, the map of "
                "hydra/sweeper/sampler=sail. Return them as facts, report them as metrics, or choose other "
                "hydra.sweeper.sampler.axes."
            )
        self._model, self._learned_from = model, len(known) if learn else self._learned_from
        return self._selection.of(self.illuminated(known, model, self._kappa, rng), known, model, rng)

    def _kernels(self) -> Kernels | None:
        return self._model and self._model.kernels

    def _sobol(self, dimensions: int, number: int) -> np.ndarray:
        """(1, genes) point `number` of a scrambled Sobol sequence."""
        sequence = qmc.Sobol(dimensions, rng=np.random.default_rng(self._seed))
        return (sequence.fast_forward(number) if number else sequence).random(1)  # SciPy cannot go on by 0

"""The map of a sweep, whichever sampler it had: the best network of each cell, and what is expected elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweeper.errors import ConfigError
from sweeper.ranking import axes
from sweeper.records.record import Sweep, Trial
from sweeper.records.states import BAD
from sweeper.sail import surrogate, told
from sweeper.sail.archive import Archive
from sweeper.sail.descriptor import Descriptor
from sweeper.sail.genome import Genome
from sweeper.sail.sampler import SAILSampler
from sweeper.sail.surrogate import Surrogate
from sweeper.search import ranges
from sweeper.search.distribution import holds
from sweeper.search.ranges import Ranges, override_key

optuna.logging.set_verbosity(optuna.logging.WARNING)

ENOUGH = 100  # trials, spread over the sweep, that kernels are learned from


@dataclass(frozen=True)
class Expected:
    """What the surrogate expects of the best candidate in each cell. (cells,) each, NaN where there is none."""

    values: np.ndarray
    deviations: np.ndarray
    params: dict[int, dict[str, Any]]  # by cell, of the candidates: override key -> value


@dataclass(frozen=True)
class Atlas:
    sweep: Sweep
    descriptors: tuple[Descriptor, ...]
    archive: Archive  # scores are the objective's own values; holders are numbers of trials
    expected: Expected | None  # None: too few trials to learn from

    @property
    def elites(self) -> list[tuple[int, Trial]]:
        """The filled cells and their trials."""
        trials = {trial.number: trial for trial in self.sweep.trials}
        return [(cell, trials[self.archive.holders[cell]]) for cell in self.archive.filled.tolist()]

    def bounds(self, cell: int) -> dict[str, tuple[float, float]]:
        """From where to where it goes, by axis."""
        places = np.unravel_index(cell, self.archive.shape)
        ends = {axis.name: axis.edges().tolist() for axis in self.descriptors}
        return {
            name: (edges[place], edges[place + 1]) for (name, edges), place in zip(ends.items(), places, strict=True)
        }


def of(
    sweep: Sweep,
    descriptors: Sequence[Descriptor],
    seed: int = 0,
    known: Mapping[int, Ranges] | None = None,
    *,
    expects: bool = True,
) -> Atlas:
    """known: the ranges by trial, if somebody has read them already. expects: also tells what is expected.

    Raises: ConfigError if the sweep has several objectives, or no finished trial that tells the descriptors.
    """
    if len(sweep.started.directions) > 1:
        raise ConfigError(
            f"Sweep {sweep.id} has {len(sweep.started.directions)} objectives. A map shows the best by one: "
            "sweep again with one, and with the others as its axes."
        )
    facts = {fact for trial in sweep.finished for fact in trial.facts if trial.number_of(fact) is not None}
    lacking = [axis.name for axis in descriptors if axis.name not in facts]
    if lacking:
        has = ", ".join(sorted(facts)) or "nothing yet"
        raise ConfigError(f"No finished trial of sweep {sweep.id} tells {', '.join(lacking)}. It has {has}.")
    by_trial = ranges.of(sweep) if known is None else known
    drawn = {name: of for trial in by_trial.values() for name, of in trial.items()}
    deciding, active = _conditions(sweep, by_trial, drawn)
    sampler = SAILSampler(descriptors, search_space=drawn, deciding=deciding, active=active, seed=seed)
    telling = [trial for trial in sweep.trials if trial.state in ("FINISHED", "PRUNED", *BAD)]
    study = _study(sweep, telling, by_trial)
    archive = sampler.archive(study)
    if not archive.filled.size:
        raise ConfigError(f"Sweep {sweep.id} has no trial that finished, meets its constraints and lies in the map.")
    numbers = [trial.number for trial in telling]
    sign = 1.0 if study.direction == optuna.study.StudyDirection.MAXIMIZE else -1.0
    holders = np.where(archive.holders >= 0, np.array(numbers)[archive.holders], -1)
    scores = np.where(archive.holders >= 0, sign * archive.scores, np.nan)
    expected = None
    if expects and len(sweep.finished) >= axes.FEWEST:
        few = _study(sweep, _spread(telling), by_trial)
        expected = _expected(sampler, study, few, sign, seed)
    return Atlas(sweep, tuple(descriptors), Archive(archive.shape, scores, holders), expected)


def _spread(trials: Sequence[Trial]) -> list[Trial]:
    """A few over all the sweep, finished ones among them."""
    ordered = sorted(trials, key=lambda trial: trial.state != "FINISHED")
    return ordered[:: math.ceil(len(ordered) / ENOUGH)]


def _expected(sampler: SAILSampler, study: optuna.Study, few: optuna.Study, sign: float, seed: int) -> Expected | None:
    """few: what kernels are learned from. They are a handful of numbers; to learn them from 600 trials takes 10 s."""
    _, learned = sampler.surrogate(few)
    if learned is None:
        return None
    known = told.read(study, sampler.genome(study), sampler.descriptors)
    model = surrogate.learned(known, learned.genome, sampler.descriptors, learned.kernels, learn=False)
    judge = model if not model.genome.deciding else _Cautious(model, {frozenset(t.params) for t in study.trials})
    found = sampler.illuminated(known, judge, 0.0, np.random.default_rng(seed))
    cells = found.archive.filled
    if not cells.size:
        return None
    mean, deviation = model.value.predict_with_deviation(model.genome.features(found.genes[cells]))
    deviation = np.hypot(deviation, model.value.noise)  # of one training
    values, deviations = (np.full(len(found.archive.scores), np.nan) for _ in range(2))
    values[cells], deviations[cells] = sign * mean, deviation
    decoded = model.genome.decode(found.genes[cells])
    params = [{name.partition("@")[0]: value for name, value in trial.items()} for trial in decoded]
    return Expected(values, deviations, dict(zip(cells.tolist(), params, strict=True)))


@dataclass(frozen=True)
class _Cautious:
    """A surrogate that has no cell for options that were never chosen together: nobody knows which dimensions they
    bring."""

    model: Surrogate
    known: Set[frozenset[str]]  # the dimensions of each trial

    @property
    def genome(self) -> Genome:
        return self.model.genome

    def judge(self, genes: np.ndarray, kappa: float) -> tuple[np.ndarray, np.ndarray]:
        values, cells = self.model.judge(genes, kappa)
        return values, np.where([frozenset(trial) in self.known for trial in self.genome.decode(genes)], cells, -1)


def _study(sweep: Sweep, trials: Sequence[Trial], ranges: Mapping[int, Ranges]) -> optuna.Study:
    study = optuna.create_study(direction=sweep.started.directions[0])
    study.add_trials([_frozen(trial, ranges[trial.number]) for trial in trials])
    return study


def _frozen(trial: Trial, ranges: Ranges) -> FrozenTrial:
    """With the facts that it told. One whose hyperparameters came to nothing counts as failed."""
    params = {name: _drawn(of, trial.params[override_key(name, trial)]) for name, of in ranges.items()}
    given = {"params": params, "distributions": dict(ranges), "user_attrs": dict(trial.facts)}
    if trial.state == "FINISHED" and trial.duplicate_of is None and not trial.missed:
        return create_trial(value=trial.values[0], **given)
    if trial.state == "PRUNED" and trial.values:
        epoch = int(trial.facts.get("epochs", 1))
        return create_trial(state=TrialState.PRUNED, intermediate_values={epoch: trial.values[0]}, **given)
    return create_trial(state=TrialState.FAIL, **given)


def _drawn(of: BaseDistribution, value: Any) -> Any:
    """Categories that nobody has told are texts; see `ranges`."""
    return str(value) if isinstance(of, CategoricalDistribution) and not holds(of, value) else value


def _conditions(
    sweep: Sweep, by_trial: Mapping[int, Ranges], drawn: Mapping[str, BaseDistribution]
) -> tuple[tuple[str, ...], Any]:
    """The choices that decide which dimensions a trial has, and a function that tells them; see Genome."""
    trials = [trial for trial in sweep.trials if by_trial[trial.number]]
    categories = {name: of.choices for name, of in drawn.items() if isinstance(of, CategoricalDistribution)}
    always = [name for name in categories if all(name in by_trial[trial.number] for trial in trials)]
    options = {name.rpartition("@")[2] for name in drawn if "@" in name}  # of config groups
    deciding = tuple(name for name in always if not options or options & set(map(str, categories[name])))
    if all(set(by_trial[trial.number]) == set(drawn) for trial in trials):
        return (), None
    seen = {tuple(str(trial.params[name]) for name in deciding): set(by_trial[trial.number]) for trial in trials}
    always = set.intersection(*(set(by_trial[trial.number]) for trial in trials))
    return deciding, lambda choices: seen.get(tuple(str(choices[name]) for name in deciding), always)

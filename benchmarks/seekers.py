"""Who searches in benchmarks/illuminate.py: samplers of Optuna's, SAIL among them, and the evolution of pyribs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from problems import Problem
from scipy.stats import spearmanr

from sweeper.sail.sampler import SAILSampler

OURS, MAP_ELITES = "SAIL", "MAP-Elites"


@dataclass(frozen=True)
class Prediction:
    """The prediction map, each of its cells evaluated truly."""

    cells: int  # that it fills
    error: float  # mean of what promises are wrong by, as a share of the range that values can have
    rank: float  # Spearman's correlation of promises and truth
    values: list[float]  # true ones
    places: list[int]  # true cells


@dataclass(frozen=True)
class Search:
    values: list[float] = field(default_factory=list)  # of each evaluation
    cells: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # of the processor, to ask for it and to be told
    predictions: dict[int, Prediction] = field(default_factory=dict)  # by number of evaluations


def search(name: str, problem: Problem, seed: int, evaluations: int, looks: list[int]) -> Search:
    """looks: numbers of evaluations after which a prediction map is asked for, of those that have one."""
    if name in RIBS:
        return _by_ribs(*RIBS[name], problem, seed, evaluations)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return _by_optuna(OPTUNA[name](problem, seed), problem, evaluations, looks)


def sail(problem: Problem, seed: int, *, observed: bool = False, **settings: Any) -> SAILSampler:
    """observed: it learns the descriptors from what trials tell."""
    axes = [replace(axis, fn=None) if observed else axis for axis in problem.descriptors]
    genome = problem.genome
    space = {"search_space": genome.dimensions, "deciding": genome.deciding, "active": genome.active}
    return SAILSampler(axes, batch_size=2, seed=seed, **space | settings)  # as hydra/sweeper/sampler=sail has it


OPTUNA: dict[str, Callable[[Problem, int], BaseSampler]] = {
    OURS: sail,
    "SAIL, descriptors learned": lambda problem, seed: sail(problem, seed, observed=True),
    "SAIL, cells by Sobol": lambda problem, seed: sail(problem, seed, selection="sobol"),
    "Sobol, then the surrogate": lambda problem, seed: sail(problem, seed, n_startup_trials=10**9),
    "random": lambda problem, seed: RandomSampler(seed=seed),
    "TPE": lambda problem, seed: TPESampler(seed=seed),
    "NSGA-II": lambda problem, seed: NSGAIISampler(population_size=20, seed=seed),
}


def _by_optuna(sampler: BaseSampler, problem: Problem, evaluations: int, looks: list[int]) -> Search:
    """NSGA-II is the only one with an objective more for each descriptor: the less the better."""
    several = isinstance(sampler, NSGAIISampler)
    others = ["minimize"] * len(problem.descriptors) if several else []
    study = optuna.create_study(directions=["maximize", *others], sampler=sampler)
    done = Search()
    for number in range(1, evaluations + 1):
        began = time.process_time()
        trial = study.ask()
        params = _suggested(trial, problem)
        asked = time.process_time() - began
        value, cell = float(problem.value([params])[0]), int(problem.cells([params])[0])
        facts = {axis.name: float(axis.fn([params])[0]) for axis in problem.descriptors}
        for name, fact in facts.items():
            trial.set_user_attr(name, fact)
        began = time.process_time()
        study.tell(trial, [value, *facts.values()] if several else value)
        done.values.append(value)
        done.cells.append(cell)
        done.seconds.append(asked + time.process_time() - began)
        if number in looks and isinstance(sampler, SAILSampler):
            done.predictions[number] = _prediction(sampler, study, problem)
    return done


def _suggested(trial: optuna.Trial, problem: Problem) -> dict[str, Any]:
    """Those that exist."""
    genome = problem.genome
    params = {name: _one(trial, name, genome.dimensions[name]) for name in genome.deciding}
    here = genome.active(params) if genome.active else genome.names
    return params | {name: _one(trial, name, genome.dimensions[name]) for name in here}


def _one(trial: optuna.Trial, name: str, of: BaseDistribution) -> Any:
    if isinstance(of, CategoricalDistribution):
        return trial.suggest_categorical(name, of.choices)
    suggest = trial.suggest_int if isinstance(of, IntDistribution) else trial.suggest_float
    return suggest(name, of.low, of.high, step=of.step, log=of.log)


def _prediction(sampler: SAILSampler, study: optuna.Study, problem: Problem) -> Prediction:
    known, model = sampler.surrogate(study)
    found = sampler.illuminated(known, model, 0.0, np.random.default_rng(0))
    filled = found.archive.filled
    trials = problem.genome.decode(found.genes[filled])
    promised, true = found.archive.scores[filled], problem.value(trials)
    error = float(np.abs(promised - true).mean()) / (problem.ceiling - problem.floor)
    rank = float(spearmanr(promised, true).statistic)
    return Prediction(len(filled), error, rank, true.tolist(), problem.cells(trials).tolist())


def _map_elites(archive: Any, seed: int) -> Any:
    from ribs.emitters import IsoLineEmitter

    first = np.random.default_rng(seed).random((50, archive.solution_dim))
    bounds = [(0, 1)] * archive.solution_dim
    return IsoLineEmitter(
        archive, iso_sigma=0.1, line_sigma=0.2, initial_solutions=first, bounds=bounds, batch_size=5, seed=seed
    )


def _cma(archive: Any, seed: int, **settings: Any) -> Any:
    from ribs.emitters import EvolutionStrategyEmitter

    middle, bounds = np.full(archive.solution_dim, 0.5), [(0, 1)] * archive.solution_dim
    return EvolutionStrategyEmitter(archive, x0=middle, bounds=bounds, seed=seed, **settings)


_ME = {"ranker": "2imp", "sigma0": 0.2, "batch_size": 5}
_MAE = {"ranker": "imp", "selection_rule": "mu", "restart_rule": "basic", "sigma0": 0.5, "batch_size": 10}
# An emitter, and settings of the archive that leads it. Deviations, batches and learning rate are those of 57 tried
# that were best at 200 evaluations in the mean of the four problems.
RIBS: dict[str, tuple[Callable[[Any, int], Any], dict[str, float]]] = {
    MAP_ELITES: (_map_elites, {}),
    "CMA-ME": (lambda archive, seed: _cma(archive, seed, **_ME), {}),
    "CMA-MAE": (lambda archive, seed: _cma(archive, seed, **_MAE), {"learning_rate": 0.5}),
}


def _by_ribs(
    lead: Callable[[Any, int], Any], settings: dict[str, float], problem: Problem, seed: int, evaluations: int
) -> Search:
    from ribs.archives import GridArchive
    from ribs.schedulers import Scheduler

    genome = problem.genome
    if settings:
        settings = settings | {"threshold_min": problem.floor}
    archive = GridArchive(
        solution_dim=len(genome.names),
        dims=[axis.bins for axis in problem.descriptors],
        ranges=[(0, 1)] * len(problem.descriptors),
        seed=seed,
        **settings,
    )
    scheduler = Scheduler(archive, [lead(archive, seed)])
    done = Search()
    while len(done.values) < evaluations:
        began = time.process_time()
        genes = scheduler.ask()
        asked = time.process_time() - began
        trials = genome.decode(genes)
        values = problem.value(trials)
        places = np.stack([axis.scaled(axis.fn(trials)) for axis in problem.descriptors], axis=1)
        began = time.process_time()
        scheduler.tell(values, places)
        done.values.extend(values.tolist())
        done.cells.extend(problem.cells(trials).tolist())
        done.seconds.extend([(asked + time.process_time() - began) / len(genes)] * len(genes))
    return Search(*(each[:evaluations] for each in (done.values, done.cells, done.seconds)))


NAMES = (*OPTUNA, *RIBS)
PEERS = tuple(name for name in NAMES if "SAIL" not in name and "surrogate" not in name)  # those that do without ours

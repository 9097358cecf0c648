"""The sweep that a command line means, without starting it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hydra.types import HydraContext
from omegaconf import DictConfig, open_dict, read_write

from sweeper.config.compose import of_sweep
from sweeper.engine import beginning, executors
from sweeper.engine.executor import Executor
from sweeper.engine.limits import Limits
from sweeper.errors import ConfigError
from sweeper.evolution import life
from sweeper.search import enqueue, extension, settings, space
from sweeper.search.settings import Settings
from sweeper.search.space import Space
from sweeper.search.study import Study

_OURS = "hydra_plugins.sweeper.StudySweeper"


@dataclass(frozen=True)
class Prospect:
    context: HydraContext
    config: DictConfig
    settings: Settings
    space: Space
    n_trials: int  # those that a grid has, if they are fewer than asked for; the members of a population
    executor: Executor  # with a new process for each job; not started


def read(overrides: Sequence[str], folder: Path) -> Prospect:
    """What `python -m sweeper -m OVERRIDES` would do, but in `folder`.

    Raises: ConfigError if the sweep would not start.
    """
    context, config = of_sweep(overrides)
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.sweep.dir = str(folder)
    wanted = _settings(config)
    _check(wanted, config)
    searched = space.read(wanted, config.hydra.overrides.task, config, context)
    n_trials = _lives(wanted, searched, config) or _draws(wanted, searched, folder)
    slots = executors.chosen(wanted, most=n_trials, recycle_after=1)
    return Prospect(context, config, wanted, searched, n_trials, slots)


def _check(wanted: Settings, config: DictConfig) -> None:
    """Raises: ConfigError for what a sweep refuses before its first trial, but no step of a training would notice."""
    Limits(wanted)
    beginning.of_sweep(wanted, config, ours=True)
    extension.read(wanted, config)


def _settings(config: DictConfig) -> Settings:
    node = config.hydra.sweeper
    if node.get("_target_") != _OURS:
        raise ConfigError(f"hydra/sweeper: {node.get('_target_')} cannot be planned. Choose hydra/sweeper=study")
    return settings.read({key: node[key] for key in node if key not in ("_target_", "_recursive_")})


def _lives(wanted: Settings, searched: Space, config: DictConfig) -> int | None:
    """Of a population: each costs what a trial does, in segments or not. Raises: ConfigError as the sweep would."""
    shared = life.of(wanted, searched, config, ours=True)
    return shared.method.members if shared else None


def _draws(wanted: Settings, searched: Space, folder: Path) -> int:
    """How many different trials the sampler draws. A study that already exists is not looked into."""
    enqueued = enqueue.read(wanted.enqueue, searched)[: wanted.n_trials]
    size = Study(replace(wanted, storage=None), searched, folder, enqueued=enqueued, extend=None).size
    return wanted.trials_among(size)

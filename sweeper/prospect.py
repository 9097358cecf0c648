"""The sweep that a command line means, without starting it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hydra.types import HydraContext
from hydra.utils import instantiate
from omegaconf import DictConfig, open_dict, read_write

from sweeper import enqueue, settings, space
from sweeper.compose import of_sweep
from sweeper.errors import ConfigError
from sweeper.executor import Executor
from sweeper.settings import Settings
from sweeper.space import Space
from sweeper.study import Study

_OURS = "hydra_plugins.sweeper.StudySweeper"


@dataclass(frozen=True)
class Prospect:
    context: HydraContext
    config: DictConfig
    settings: Settings
    space: Space
    n_trials: int  # those that a grid has, if they are fewer than asked for
    executor: Executor  # with a new process for each job; not started


def read(overrides: Sequence[str], folder: Path) -> Prospect:
    """What `python -m sweeper -m OVERRIDES` would do, but in `folder`.

    Raises: ConfigError if the sweep would not start.
    """
    context, config = of_sweep(overrides)
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.sweep.dir = str(folder)
    wanted = _settings(config)
    loader = context.config_loader
    dimensions = space.build(
        config.hydra.overrides.task,
        wanted.params,
        wanted.spaces,
        loader,
        lambda lines: loader.load_sweep_config(config, lines),
    )
    n_trials = min(wanted.n_trials, _size(wanted, dimensions, folder) or wanted.n_trials)
    executor = instantiate(wanted.executor, slots=wanted.n_jobs, most=n_trials, recycle_after=1, preload=[])
    return Prospect(context, config, wanted, dimensions, n_trials, executor)


def _settings(config: DictConfig) -> Settings:
    node = config.hydra.sweeper
    if node.get("_target_") != _OURS:
        raise ConfigError(f"hydra/sweeper: {node.get('_target_')} cannot be planned. Choose hydra/sweeper=study")
    wanted = settings.read({key: node[key] for key in node if key not in ("_target_", "_recursive_")})
    if wanted.executor is None:
        raise ConfigError(
            "hydra.sweeper.executor=null: nothing would run the trials. Choose hydra/sweeper/executor=local"
        )
    return wanted


def _size(wanted: Settings, dimensions: Space, folder: Path) -> int | None:
    """How many different trials the sampler can draw. A study that already exists is not looked into."""
    enqueued = enqueue.read(wanted.enqueue, dimensions)[: wanted.n_trials]
    return Study(replace(wanted, storage=None), dimensions, folder, enqueued=enqueued, extend=None).size

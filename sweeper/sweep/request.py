"""What a user asks of a sweep, read and checked: all that has to be mended is told before anything is begun."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from hydra.types import HydraContext
from omegaconf import DictConfig, open_dict, read_write

from sweeper.confirmation import confirmation
from sweeper.engine import beginning, executors, resume
from sweeper.engine.executor import Executor
from sweeper.engine.limits import Limits
from sweeper.evolution import life
from sweeper.evolution.life import Life
from sweeper.records.events import SweepStarted
from sweeper.search import enqueue, extension, space
from sweeper.search.settings import Settings
from sweeper.search.space import Space
from sweeper.slurm import launcher
from sweeper.tracking import store
from sweeper.tracking.store import Tracking

_OURS = "sweeper.app"  # the module of the task of `python -m sweeper`


@dataclass(frozen=True)
class Request:
    settings: Settings
    config: DictConfig  # composed from what the user typed, the ranges left out; names its folder for all processes
    context: HydraContext
    task: Callable[..., Any]
    limits: Limits  # whose time has begun
    space: Space
    life: Life | None  # of the members of a population, if trials are such
    started: SweepStarted  # the first event
    enqueued: Sequence[dict[str, Any]]  # of the first trials, values by Optuna's names
    extend: Callable[[Any], None] | None  # see `extension.read`
    tracking: Tracking
    executor: Executor  # not started

    @property
    def folder(self) -> Path:
        return Path(self.config.hydra.sweep.dir)

    @property
    def logs(self) -> Path:
        """Of the slots, and of whatever other process the sweep has."""
        return self.folder / "slots"

    @property
    def confirms(self) -> bool:
        return self.settings.confirm is not None

    @property
    def tests(self) -> bool:
        """Whether its best network meets the test images at the end: a confirmation is to be the first to do so."""
        return self.settings.test and not self.confirms

    @property
    def is_ours(self) -> bool:
        """Whether the task is that of `python -m sweeper`."""
        return _is_ours(self.task)

    def limited_to(self, size: int | None) -> Request:
        """With no more trials than there can be. size: None where that is unbounded."""
        n_trials = self.settings.trials_among(size)
        settings, started = replace(self.settings, n_trials=n_trials), replace(self.started, n_trials=n_trials)
        return replace(self, settings=settings, started=started)


def read(
    settings: Settings, arguments: Sequence[str], config: DictConfig, context: HydraContext, task: Callable[..., Any]
) -> Request:
    """arguments: the overrides that the user typed. config: composed from them, the ranges left out.

    Raises: ConfigError for what has to be mended.
    """
    config, ours = _pinned(config, settings), _is_ours(task)
    limits = Limits(settings)
    searched = space.read(settings, arguments, config, context)
    shared = life.of(settings, searched, config, ours=ours)
    settings = replace(settings, n_trials=shared.trials) if shared else settings
    started = beginning.of_sweep(settings, config, ours=ours)
    space.check(searched, partial(context.config_loader.load_sweep_config, config))
    confirmation.check(settings, searched, config)
    enqueued = enqueue.read(settings.enqueue, searched)[: settings.n_trials]
    extend = extension.read(settings, config)
    tracking = store.read(config, config.hydra.runtime.choices, config.hydra.job.name)
    side_by_side = shared.method.members if shared else settings.most
    return Request(
        settings=settings,
        config=config,
        context=context,
        task=task,
        limits=limits,
        space=searched,
        life=shared,
        started=started,
        enqueued=enqueued,
        extend=extend,
        tracking=tracking,
        executor=_executor(settings, config.hydra.launcher, side_by_side),
    )


def _executor(settings: Settings, launched: DictConfig, most: int) -> Executor:
    """launched: `hydra.launcher`. most: jobs side by side. Raises: ConfigError as `launcher` and `executors`."""
    if launcher.is_queue(launched):
        return launcher.executor(launched, settings, most)
    return executors.chosen(settings, most=most)


def _pinned(config: DictConfig, settings: Settings) -> DictConfig:
    """The config with its folder absolute: every process must mean the same one, whatever its clock and folder."""
    config = config.copy()
    folder = resume.find(settings.resume) if settings.resume else Path(config.hydra.sweep.dir).absolute()
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.sweep.dir = str(folder)
    return config


def _is_ours(task: Callable[..., Any]) -> bool:
    return getattr(task, "__module__", None) == _OURS

"""Ask and tell: the only file that talks to Optuna."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import optuna
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.samplers import BaseSampler, GPSampler
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from sweeper import allowed
from sweeper.errors import ConfigError
from sweeper.events import State
from sweeper.secret import HIDDEN, without_credentials
from sweeper.settings import Settings
from sweeper.space import Space

optuna.logging.set_verbosity(optuna.logging.WARNING)  # progress has its own lines

JOURNAL = "study.journal"
_STATES = {
    "FINISHED": TrialState.COMPLETE,
    "PRUNED": TrialState.PRUNED,
    "FAILED": TrialState.FAIL,
    "INTERRUPTED": TrialState.FAIL,
}


@dataclass(frozen=True)
class Proposal:
    number: int
    params: dict[str, Any]  # what the sampler chose, by override key
    overrides: list[str]  # those and the fixed ones


class Study:
    """An Optuna study and the trials of it that run now."""

    def __init__(
        self,
        settings: Settings,
        space: Space,
        folder: Path,
        *,
        enqueued: Sequence[dict[str, Any]],
        extend: Callable[[optuna.Trial], None] | None,
    ):
        """enqueued: of the first trials, values by Optuna's names.
        extend: called with each new trial once its dimensions of `space` are drawn; what it suggests joins them.

        Raises: ConfigError if sampler, pruner, storage or direction do not fit each other or the space.
        """
        self.space, self._extend = space, extend
        sampler, self.size = _sampler(settings, space)
        self._study = _create(settings, sampler, folder)
        for values in enqueued:
            self._study.enqueue_trial(values, skip_if_exists=True)
        self._running: dict[int, optuna.Trial] = {}
        self._reported: dict[int, int] = {}  # the last epoch heard of a running trial

    def ask(self) -> Proposal:
        trial = self._study.ask()
        try:
            params = self.space.suggest(trial)
        except ValueError as error:  # the choices of a dimension cannot change within a study
            raise ConfigError(f"Study {self._study.study_name} began with another space: {error}") from error
        if self._extend:
            params |= self._extension(trial)
        self._running[trial.number] = trial
        return Proposal(trial.number, params, self.space.overrides(params))

    def _extension(self, trial: optuna.Trial) -> dict[str, Any]:
        for key, value in self.space.fixed_values():
            trial.set_user_attr(key, without_credentials(value))  # they are stored
        before = set(trial.params)
        try:
            self._extend(trial)
        except Exception as error:
            raise ConfigError(f"hydra.sweeper.custom_search_space failed: {type(error).__name__}: {error}") from error
        return {key: value for key, value in trial.params.items() if key not in before}

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Whether the pruner wants the trial stopped. A second attempt is heard from where the first one ended."""
        if len(self._study.directions) > 1 or epoch <= self._reported.get(number, 0) or math.isnan(value):
            return False
        self._reported[number] = epoch
        trial = self._running[number]
        trial.report(value, epoch)
        return trial.should_prune()

    def tell(self, number: int, state: State, values: Sequence[float] | None) -> None:
        """A pruned trial counts with its last reported value."""
        trial = self._running.pop(number)
        self._reported.pop(number, None)
        try:
            self._study.tell(trial, values if state == "FINISHED" else None, state=_STATES[state])
        except RuntimeError:  # an exhausted grid calls study.stop(), which is meant for optimize(); all is told by then
            if self.size is None:
                raise


def _create(settings: Settings, sampler: BaseSampler, folder: Path) -> optuna.Study:
    try:
        study = optuna.create_study(
            storage=_storage(settings, folder),
            sampler=sampler,
            pruner=_instantiate(settings.pruner, "hydra.sweeper.pruner", settings.allow),
            study_name=settings.study_name or folder.name,
            directions=list(settings.directions),
            load_if_exists=True,
        )
    except ConfigError:
        raise
    except Exception as error:  # Optuna's, and those of every kind of database
        raise ConfigError(f"hydra.sweeper.storage={settings.storage} cannot hold the study: {error}") from error
    held = tuple(direction.name.lower() for direction in study.directions)
    if held != settings.directions:
        raise ConfigError(
            f"Study {study.study_name} in {settings.storage} was begun with direction {', '.join(held)}, not "
            f"{', '.join(settings.directions)}. Give that one, or another hydra.sweeper.study_name."
        )
    return study


def _sampler(settings: Settings, space: Space) -> tuple[BaseSampler, int | None]:
    """The sampler, and how many different trials it can draw where that is bounded."""
    node = settings.sampler
    if not _is_grid(node):
        sampler = _instantiate(node, "hydra.sweeper.sampler", settings.allow)
        if isinstance(sampler, GPSampler) and find_spec("torch") is None:  # Optuna notices after ten trials
            raise ConfigError("hydra/sweeper/sampler=gp needs PyTorch: python -m pip install 'sweeper[gp]'")
        return sampler, None
    grid = {key: _grid_points(key, of) for key, of in space.unconditional().items()}
    keys = OmegaConf.to_container(node, resolve=True)
    allowed.check(keys, "hydra.sweeper.sampler", settings.allow)
    sampler = instantiate({**keys, "search_space": grid}, _convert_="all")
    return sampler, math.prod(len(points) for points in grid.values())


def _is_grid(node: Any) -> bool:
    return isinstance(node, DictConfig) and node.get("_target_") == "optuna.samplers.GridSampler"


def _grid_points(key: str, of: Any) -> list[Any]:
    if isinstance(of, CategoricalDistribution):
        return list(of.choices)
    if of.log or (isinstance(of, FloatDistribution) and of.step is None):
        raise ConfigError(
            f"hydra/sweeper/sampler=grid: {key} is an interval, which has no grid. "
            f"List its values ({key}={of.low},{of.high}) or give a step ({key}=range({of.low}, {of.high}, STEP))."
        )
    return [of.low + i * of.step for i in range(round((of.high - of.low) / of.step) + 1)]


def _storage(settings: Settings, folder: Path) -> BaseStorage | str:
    """A journal in the sweep's folder unless the user names a database, a journal file or a node with `_target_`."""
    storage = settings.storage
    if storage is None:
        return JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
    if isinstance(storage, str) and storage.startswith("journal://"):
        return JournalStorage(JournalFileBackend(storage.removeprefix("journal://")))
    if isinstance(storage, str):
        if HIDDEN in storage:
            raise ConfigError(f"hydra.sweeper.storage={storage}: put user and password in the place of {HIDDEN}.")
        return storage
    return _instantiate(storage, "hydra.sweeper.storage", settings.allow)


def _instantiate(node: Any, key: str, allow: Sequence[str]) -> Any:
    """The object that a config node describes, null keys left out; Hydra before 1.4 has already made it."""
    if not isinstance(node, DictConfig):
        return node
    try:
        keys = OmegaConf.to_container(node, resolve=True)
        allowed.check(keys, key, allow)
        return instantiate({name: value for name, value in keys.items() if value is not None}, _convert_="all")
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"{key}: {node.get('_target_')} refused its settings: {error}") from error

"""The keys of `hydra.sweeper`, in the words of the official Optuna sweeper where it has one."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweeper.config import allowed
from sweeper.errors import ConfigError
from sweeper.search import constraints, kinds
from sweeper.search.constraints import Constraint
from sweeper.search.kinds import Kind, is_list, or_null, whole


@dataclass(frozen=True)
class Settings:
    """Objects or nodes with `_target_` for sampler, pruner, executor and storage; see groups/study.yaml."""

    sampler: Any
    pruner: Any
    executor: Any
    direction: str | Sequence[str] = "minimize"
    n_trials: int = 20  # in total; 0: a sweep that is resumed is only confirmed
    n_jobs: int | None = None  # slots
    params: Any = None
    custom_search_space: str | None = None  # dotted path of a function
    spaces: Sequence[str] | None = None  # config groups
    constraints: Sequence[Constraint] = ()
    enqueue: Any = None  # the ID of an earlier sweep, or a list of {override key: value}
    reuse_duplicates: bool = True
    resume: str | None = None  # the ID or folder of a sweep, or latest
    confirm: int | Sequence[int] | None = None  # so many of the best trials, or these, trained anew after the search
    confirm_seeds: int = 5
    test: bool = True  # the best network meets the test images when the search is over
    timeout: float | None = None  # seconds after which no trial starts
    deadline: str | None = None  # when everything is done: 18:30, or 2026-11-26T08:00
    trial_timeout: float | None = None  # seconds without progress
    max_retries: int = 2
    max_failure_rate: float = 0.0  # of n_trials
    keep_models: int = 5
    storage: Any = None
    study_name: str | None = None
    heartbeat: float = 30.0  # seconds without a sign of a coordinator after which others take its trials over
    allow: Sequence[str] = ()  # dotted names and prefixes that a `_target_` may be, beside allowed.NAMESPACES

    @property
    def most(self) -> int:
        """Trials that could run at a time."""
        confirmed = self.confirm or 0
        count = confirmed if isinstance(confirmed, int) else len(confirmed)
        return max(self.n_trials, count * self.confirm_seeds)

    def trials_among(self, size: int | None) -> int:
        """n_trials, or fewer where there are no more than `size` different ones. None: there are any number."""
        return min(self.n_trials, size or self.n_trials)

    @property
    def directions(self) -> tuple[str, ...]:
        return (self.direction,) if isinstance(self.direction, str) else tuple(self.direction)


def read(keys: dict[str, Any]) -> Settings:
    """Raises: ConfigError if a key is unknown or its value out of range."""
    _check_keys(keys)
    parsed = {
        "allow": allowed.entries(keys.get("allow")),
        "constraints": constraints.parse(keys.get("constraints")),
    }
    settings = Settings(**keys | parsed)
    kinds.DIRECTION.check("direction", settings.direction)
    if is_list(settings.confirm):
        _check_named(settings)
    for key, kind in _kinds(settings).items():
        kind.check(key, getattr(settings, key))
    return settings


def _kinds(settings: Settings) -> dict[str, Kind]:
    """What the values may be, in the order in which they are checked. The other keys are read where they are used."""
    only_confirms = settings.resume is not None and settings.confirm is not None
    return {
        "n_trials": whole(0 if only_confirms else 1),
        "n_jobs": or_null(whole(1)),
        "max_retries": whole(0),
        "keep_models": whole(1),
        "confirm": kinds.TRIALS if is_list(settings.confirm) else or_null(whole(1)),
        "confirm_seeds": whole(2),
        "reuse_duplicates": kinds.FLAG,
        "test": kinds.FLAG,
        "timeout": or_null(kinds.SECONDS),
        "trial_timeout": or_null(kinds.SECONDS),
        "heartbeat": kinds.SECONDS,
        "params": or_null(kinds.RANGES),
        "spaces": or_null(kinds.GROUPS),
        "study_name": or_null(kinds.TEXT),
        "enqueue": kinds.ENQUEUED,
        "max_failure_rate": kinds.SHARE,
    }


def _check_keys(keys: dict[str, Any]) -> None:
    """Raises: ConfigError for one that is no setting, or a group of which no file is chosen."""
    known = list(inspect.signature(Settings).parameters)
    for key in keys:
        if key not in known:
            raise ConfigError(f"hydra.sweeper.{key} is not a setting. Choose from {', '.join(known)}.")
    for key in ("sampler", "pruner", "executor"):
        if not hasattr(keys.get(key), "__dict__") and not isinstance(keys.get(key), Mapping):
            raise ConfigError(f"hydra.sweeper.{key}={keys.get(key)}: choose one of the files, hydra/sweeper/{key}=…")


def _check_named(settings: Settings) -> None:
    """Raises: ConfigError if the trials to confirm are none that there can be yet."""
    kinds.TRIALS.check("confirm", settings.confirm)
    if settings.resume is None:
        raise ConfigError(
            f"hydra.sweeper.confirm={settings.confirm} names trials, and a new sweep has none. Give how many of the "
            "best, or the sweep that they are of: hydra.sweeper.resume=ID"
        )

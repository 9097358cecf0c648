"""The keys of `hydra.sweeper`, in the words of the official Optuna sweeper where it has one."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweeper.config import allowed
from sweeper.errors import ConfigError
from sweeper.search import constraints
from sweeper.search.constraints import Constraint


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

    @property
    def directions(self) -> tuple[str, ...]:
        return (self.direction,) if isinstance(self.direction, str) else tuple(self.direction)


def read(keys: dict[str, Any]) -> Settings:
    """Raises: ConfigError if a key is unknown or its value out of range."""
    known = list(inspect.signature(Settings).parameters)
    for key in keys:
        if key not in known:
            raise ConfigError(f"hydra.sweeper.{key} is not a setting. Choose from {', '.join(known)}.")
    for key in ("sampler", "pruner", "executor"):
        if not hasattr(keys.get(key), "__dict__") and not isinstance(keys.get(key), Mapping):
            raise ConfigError(f"hydra.sweeper.{key}={keys.get(key)}: choose one of the files, hydra/sweeper/{key}=…")
    parsed = {
        "allow": allowed.entries(keys.get("allow")),
        "constraints": constraints.parse(keys.get("constraints")),
    }
    settings = Settings(**keys | parsed)
    given = settings.direction
    named = given if isinstance(given, Sequence) and given else (None,)
    if not all(direction in ("minimize", "maximize") for direction in ((named,) if isinstance(named, str) else named)):
        raise ConfigError(f"hydra.sweeper.direction={given}: give minimize or maximize, or a list of them.")
    names_trials = isinstance(settings.confirm, Sequence) and not isinstance(settings.confirm, str)
    if names_trials:
        _check_named(settings)
    only_confirms = settings.resume is not None and settings.confirm is not None
    for key, low in (
        ("n_trials", 0 if only_confirms else 1),
        ("n_jobs", 1),
        ("max_retries", 0),
        ("keep_models", 1),
        *(() if names_trials else (("confirm", 1),)),
        ("confirm_seeds", 2),
    ):
        value = getattr(settings, key)
        if value is not None and (not isinstance(value, int) or value < low):
            raise ConfigError(f"hydra.sweeper.{key}={value}: give a whole number of at least {low}.")
    for key in ("reuse_duplicates", "test"):
        if not isinstance(getattr(settings, key), bool):
            raise ConfigError(f"hydra.sweeper.{key}={getattr(settings, key)}: give true or false.")
    for key, otherwise in (("timeout", ", or null"), ("trial_timeout", ", or null"), ("heartbeat", "")):
        seconds = getattr(settings, key)
        if seconds is None and otherwise:
            continue
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
            raise ConfigError(f"hydra.sweeper.{key}={seconds}: give seconds above 0{otherwise}.")
    for key, fits, wanted in (
        ("params", lambda value: isinstance(value, Mapping), "ranges by key, {hparams.lr: 'interval(1e-4, 1e-2)'}"),
        (
            "spaces",
            lambda value: isinstance(value, Sequence) and not isinstance(value, str),
            "a list, [model, hparams]",
        ),
        ("study_name", lambda value: isinstance(value, str), "a text"),
    ):
        value = getattr(settings, key)
        if value is not None and not fits(value):
            raise ConfigError(f"hydra.sweeper.{key}={value}: give {wanted}, or null.")
    enqueue = settings.enqueue
    if not (enqueue is None or isinstance(enqueue, str) or _are_mappings(enqueue)):
        raise ConfigError(
            f"hydra.sweeper.enqueue={enqueue}: give a list of values by key, [{{hparams.lr: 1e-3}}], or the ID of an "
            "earlier sweep."
        )
    rate = settings.max_failure_rate
    if not isinstance(rate, int | float) or not 0 <= rate <= 1:
        raise ConfigError(f"hydra.sweeper.max_failure_rate={rate}: give a share from 0.0 to 1.0.")
    return settings


def _check_named(settings: Settings) -> None:
    """Raises: ConfigError if the trials to confirm are none that there can be yet."""
    numbers = settings.confirm
    if not numbers or not all(type(number) is int and number >= 0 for number in numbers):
        raise ConfigError(f"hydra.sweeper.confirm={numbers}: give numbers of trials, [3,17], or how many of the best.")
    if settings.resume is None:
        raise ConfigError(
            f"hydra.sweeper.confirm={numbers} names trials, and a new sweep has none. Give how many of the best, or "
            "the sweep that they are of: hydra.sweeper.resume=ID"
        )


def _are_mappings(values: Any) -> bool:
    return isinstance(values, Sequence) and all(isinstance(value, Mapping) for value in values)

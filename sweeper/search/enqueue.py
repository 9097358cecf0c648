"""Trials that come before the sampler's own: typed in as values, or those of an earlier sweep, best first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sweeper.errors import ConfigError
from sweeper.records import sweeps
from sweeper.search.distribution import describe, element, holds
from sweeper.search.space import Space


def read(wanted: str | Sequence[Mapping[str, Any]] | None, space: Space) -> list[dict[str, Any]]:
    """Each trial's values under Optuna's names. What a trial leaves open, the sampler draws.

    wanted: `hydra.sweeper.enqueue`. Of an earlier sweep only what this one searches too, in the same range, is taken.
    Raises: ConfigError if no such sweep is there, or a typed key or value is not in the space.
    """
    if wanted is None:
        return []
    if isinstance(wanted, str):
        earlier = [_fitting(trial.params, space) for trial in sweeps.find(wanted).ranked()]
        return [values for values in earlier if values]
    return [_typed(values, space, f"hydra.sweeper.enqueue[{place}]") for place, values in enumerate(wanted)]


def override(trials: Iterable[Mapping[str, Any]]) -> str:
    """Of trials by override key: what is typed for `read` to give them again."""
    listed = (",".join(f"{key}:{element(value)}" for key, value in values.items()) for values in trials)
    return f"hydra.sweeper.enqueue=[{','.join(f'{{{values}}}' for values in listed)}]"


def _fitting(values: Mapping[str, Any], space: Space) -> dict[str, Any]:
    searched = space.dimensions(values)
    return {
        searched[key].name: value
        for key, value in values.items()
        if key in searched and holds(searched[key].distribution, value)
    }


def _typed(values: Mapping[str, Any], space: Space, place: str) -> dict[str, Any]:
    searched = space.dimensions(values)
    for key, value in values.items():
        if key not in searched:
            open_groups = [group for group in space.groups if group not in values]
            hint = f" Choose {', '.join(open_groups)} too: each option has its own." if open_groups else ""
            raise ConfigError(f"{place}: {key} is not searched, but {', '.join(searched)} are.{hint}")
        if not holds(searched[key].distribution, value):
            raise ConfigError(f"{place}: {key}={value} is none of {describe(searched[key].distribution)}.")
    return {searched[key].name: value for key, value in values.items()}

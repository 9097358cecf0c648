"""The sampler of a study from its config node, and how many trials it can draw at most."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from omegaconf import DictConfig, OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    GridSampler,
    NSGAIIISampler,
    NSGAIISampler,
    QMCSampler,
    TPESampler,
)

from sweeper.config import node as nodes
from sweeper.errors import ConfigError
from sweeper.search import feasibility
from sweeper.search.asked import SAIL
from sweeper.search.settings import Settings
from sweeper.search.space import Space

Price = Callable[[Sequence[str]], Mapping[str, float]]  # overrides of a trial -> what is known of it without a training
_KEY = "hydra.sweeper.sampler"
_GRID = "optuna.samplers.GridSampler"
_OF_NUMBERS = ("optuna.samplers.QMCSampler", SAIL)  # their draws go by the trials' numbers
IN_TURN = (GridSampler, QMCSampler)  # two that draw at the same moment draw the same
_CONSTRAINED = (TPESampler, NSGAIISampler, NSGAIIISampler, GPSampler)


def build(
    settings: Settings, space: Space, drawn: int, price: Price | None = None, order: int | None = None
) -> tuple[BaseSampler, int | None]:
    """The sampler, and how many different trials it can draw where that is bounded.

    drawn: trials of earlier sessions. The same seed again would repeat the first of them.
    order: of a grid, instead of its own seed.
    """
    node = settings.sampler
    if not _is(node, _GRID):
        node = _reseeded(node, drawn)
        known = _map_of(space, price) if _is(node, SAIL) else {}
        sampler = nodes.made(node, _KEY, settings.allow, **known)
        _check(sampler, settings)
        if settings.constraints and feasibility.OPTIONS:
            sampler = nodes.made(node, _KEY, settings.allow, **feasibility.OPTIONS)
        if isinstance(sampler, GPSampler) and find_spec("torch") is None:  # Optuna notices after ten trials
            raise ConfigError("hydra/sweeper/sampler=gp needs PyTorch: python -m pip install 'sweeper[gp]'")
        return sampler, None
    grid = {key: _grid_points(key, of) for key, of in space.unconditional().items()}
    known = {"search_space": grid} | ({} if order is None else {"seed": order})
    sampler = nodes.made(node, _KEY, settings.allow, **known)
    _check(sampler, settings)
    return sampler, math.prod(len(points) for points in grid.values())


def _check(sampler: BaseSampler, settings: Settings) -> None:
    """Raises: ConfigError if `sampler` cannot do what the settings want, which Optuna notices later or never."""
    name = type(sampler).__name__
    is_map = hasattr(sampler, "descriptors")  # SAIL: to import it takes half a second
    if len(settings.directions) > 1 and (isinstance(sampler, CmaEsSampler) or is_map):
        raise ConfigError(
            f"{name} searches one objective, not {len(settings.directions)} of hydra.sweeper.direction. "
            "Choose hydra/sweeper/sampler=nsgaii, nsgaiii or tpe."
        )
    if settings.constraints and not isinstance(sampler, _CONSTRAINED):
        raise ConfigError(
            f"{name} learns nothing from hydra.sweeper.constraints. Choose hydra/sweeper/sampler=tpe, nsgaii, nsgaiii "
            "or gp, or leave the constraints out."
        )


def _reseeded(node: Any, drawn: int) -> Any:
    """A sequence goes on with its own numbers, which needs the same seed."""
    if not drawn or not isinstance(node, DictConfig) or node.get("seed") is None or node._target_ in _OF_NUMBERS:
        return node
    return OmegaConf.merge(node, {"seed": node.seed + drawn})


def _is(node: Any, target: str) -> bool:
    return isinstance(node, DictConfig) and node.get("_target_") == target


def _map_of(space: Space, price: Price | None) -> dict[str, Any]:
    """What SAIL wants to know of a search before its first trial."""
    known = {"search_space": space.union(), "deciding": space.groups, "active": space.active}
    if price is None:
        return known
    return known | {"costs": lambda drawn: price(space.overrides(space.by_key(drawn)))}


def _grid_points(key: str, of: Any) -> list[Any]:
    if isinstance(of, CategoricalDistribution):
        return list(of.choices)
    if of.log or (isinstance(of, FloatDistribution) and of.step is None):
        raise ConfigError(
            f"hydra/sweeper/sampler=grid: {key} is an interval, which has no grid. "
            f"List its values ({key}={of.low},{of.high}) or give a step ({key}=range({of.low}, {of.high}, STEP))."
        )
    return [of.low + i * of.step for i in range(round((of.high - of.low) / of.step) + 1)]

"""What all members of a population share: how they evolve, what they may differ in, and how long they live."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from sweeper import text
from sweeper.config import node
from sweeper.errors import ConfigError
from sweeper.evolution import searched
from sweeper.evolution.method import Dimensions, Explores, Method
from sweeper.search.settings import Settings
from sweeper.search.space import Space
from sweeper.training import instances, objectives
from sweeper.training.trainer import METRICS

GROUP = "evolution"
_UNUSED = ("sampler", "pruner", "storage", "study_name")  # of hydra.sweeper: Optuna's


@dataclass(frozen=True)
class Life:
    method: Method | Explores
    dimensions: Dimensions
    segments: int
    rises: bool  # more is better
    seed: int
    overrides: Callable[[Mapping[str, Any]], list[str]]  # those of a trial with these params


def method(settings: Settings, config: DictConfig, *, ours: bool) -> Method | None:
    """How the sweep that this config describes evolves; None if its trials know nothing of each other.

    ours: the task is our own training. Raises: ConfigError for what a population cannot do.
    """
    target = OmegaConf.select(config, f"{GROUP}._target_")
    if target is None or not (ours or str(target).startswith("sweeper.")):  # a key of somebody else's own
        return None
    if not ours:
        raise ConfigError(
            f"{GROUP}._target_={target}: only trainings of `python -m sweeper` can go on from another one's state. "
            "Leave it out."
        )
    found = node.made(config.evolution, GROUP, settings.allow)
    _check_metric(settings, config)
    _check_settings(settings, config)
    trainer = instances.make(config, "trainer", settings.allow)
    if trainer.patience is not None:
        raise ConfigError(
            f"trainer.patience={trainer.patience}: a member of a population trains for trainer.epochs, and goes on "
            "from a better one's state where others would stop. Give trainer.patience=null."
        )
    segments, wanted = found.segments(trainer.epochs), _typed(config, "n_trials")
    if wanted and settings.n_trials != found.members * segments:
        raise ConfigError(
            f"{wanted}: {found.members} members of {segments} segments (trainer.epochs={trainer.epochs}, "
            f"evolution.every={found.every}) are {found.members * segments} trials. Leave it out, or give another "
            "evolution.members or trainer.epochs."
        )
    return found


def life(method: Method, space: Space, config: DictConfig, settings: Settings) -> Life:
    """Raises: ConfigError as `searched.dimensions`."""
    rises = settings.directions == ("maximize",)
    segments = method.segments(config.trainer.epochs)
    return Life(method, searched.dimensions(space), segments, rises, config.seed, space.overrides)


def sentence(method: Method, epochs: int) -> str:
    """For people: what the population comes to."""
    segments = method.segments(epochs)
    parts = f"{text.count(segments, 'segment')} of {text.count(method.every, 'epoch')}"
    return f"A population of {method.members} members, each with {parts}: a trial is one segment"


def _check_metric(settings: Settings, config: DictConfig) -> None:
    names = objectives.names(config.optimized_metric)
    if len(names) > 1 or names[0] not in METRICS:
        raise ConfigError(
            f"optimized_metric={config.optimized_metric}: members are compared by one value of an epoch. Give one of "
            f"{', '.join(METRICS)}."
        )
    if settings.constraints:
        raise ConfigError("hydra.sweeper.constraints: a population knows none. Leave them out.")


def _check_settings(settings: Settings, config: DictConfig) -> None:
    if settings.confirm is not None:
        raise ConfigError(
            "hydra.sweeper.confirm: a segment of a population goes on from another one's state, so it cannot be "
            "trained anew with fresh seeds. Leave it out; python -m sweeper reproduce trains the whole line again."
        )
    if settings.custom_search_space is not None:
        raise ConfigError("hydra.sweeper.custom_search_space draws from a study, which a population has not: leave it.")
    for key in _UNUSED:
        typed = _typed(config, key)
        if typed:
            raise ConfigError(f"{typed}: a population proposes the trials, not Optuna. Leave it out.")


def _typed(config: DictConfig, key: str) -> str | None:
    """The word on the command line that sets this key of hydra.sweeper, or one below."""
    beginnings = tuple(f"hydra{sign}sweeper{sign}{key}{end}" for sign in "./" for end in "=.")
    return next((word for word in config.hydra.overrides.hydra if word.lstrip("+").startswith(beginnings)), None)

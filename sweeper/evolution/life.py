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
from sweeper.evolution.method import Dimensions, Method
from sweeper.search import enqueue
from sweeper.search.settings import Settings
from sweeper.search.space import Space
from sweeper.training import objectives, trial
from sweeper.training.trainer import METRICS

GROUP = "evolution"
_UNUSED = ("sampler", "pruner", "storage", "study_name")  # of hydra.sweeper: Optuna's


@dataclass(frozen=True)
class Life:
    method: Method
    dimensions: Dimensions
    segments: int
    rises: bool  # more is better
    seed: int
    overrides: Callable[[Mapping[str, Any]], list[str]]  # those of a trial with these params

    @property
    def trials(self) -> int:
        """Of all members."""
        return self.method.members * self.segments

    @property
    def sentence(self) -> str:
        """For people."""
        parts = f"{text.count(self.segments, 'segment')} of {text.count(self.method.every, 'epoch')}"
        return f"A population of {self.method.members} members, each with {parts}: a trial is one segment"


def of(settings: Settings, space: Space, config: DictConfig, *, ours: bool) -> Life | None:
    """That of the sweep which this config describes; None if its trials know nothing of each other.

    ours: the task is our own training. Raises: ConfigError for what a population cannot do, as `trial.check`, and as
    `searched.dimensions`.
    """
    chosen = OmegaConf.select(config, GROUP)
    target = chosen.get("_target_") if isinstance(chosen, DictConfig) else None
    if target is None or not (ours or str(target).startswith("sweeper.")):  # a key of somebody else's own
        return None
    if not ours:
        raise ConfigError(
            f"{GROUP}._target_={target}: only trainings of `python -m sweeper` can go on from another one's state. "
            "Leave it out."
        )
    trial.check(config)
    _check_metric(settings, config)
    _check_settings(settings, config)
    method = node.made(config.evolution, GROUP, settings.allow)
    dimensions, segments = searched.dimensions(space), method.segments(config.trainer.epochs)
    searched.check_enqueued(_enqueued(settings, space, method.members), dimensions)
    life = Life(method, dimensions, segments, settings.directions == ("maximize",), config.seed, space.overrides)
    typed = _typed(config, "n_trials")
    if typed and settings.n_trials != life.trials:
        raise ConfigError(
            f"{typed}: {method.members} members of {segments} segments (trainer.epochs={config.trainer.epochs}, "
            f"evolution.every={method.every}) are {life.trials} trials. Leave it out, or give another "
            "evolution.members or trainer.epochs."
        )
    return life


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
    if config.trainer.patience is not None:
        raise ConfigError(
            f"trainer.patience={config.trainer.patience}: a member of a population trains for trainer.epochs, and goes "
            "on from a better one's state where others would stop. Give trainer.patience=null."
        )
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


def _enqueued(settings: Settings, space: Space, members: int) -> list[dict[str, Any]]:
    """What the first members begin with; of an earlier sweep so many of the best trials as there are members."""
    found = enqueue.read(settings.enqueue, space)
    if len(found) > members and not isinstance(settings.enqueue, str):
        raise ConfigError(
            f"hydra.sweeper.enqueue: {len(found)} trials, but the population has {members} members, each of which "
            f"begins with one. Leave some out, or give evolution.members={len(found)}."
        )
    return found[:members]


def _typed(config: DictConfig, key: str) -> str | None:
    """The word on the command line that sets this key of hydra.sweeper, or one below."""
    beginnings = tuple(f"hydra{sign}sweeper{sign}{key}{end}" for sign in "./" for end in "=.")
    return next((word for word in config.hydra.overrides.hydra if word.lstrip("+").startswith(beginnings)), None)

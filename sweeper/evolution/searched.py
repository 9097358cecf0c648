"""What the members of a population may differ in: nothing that decides the shape of a weight, or what a score means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from sweeper.errors import ConfigError
from sweeper.evolution.method import Dimensions
from sweeper.search.distribution import holds
from sweeper.search.space import Space

_ANY = ("hparams", "schedule", "augment")  # groups all of whose values may differ; a shape is checked again in training
_OF_TRAINER = ("label_smoothing", "class_weights")
_RATE_OF_TRAINER = "ema"  # a number or null: one of them has a mean of the weights, the other has none
_WITH_VARIABLES = ("dropout", "momentum")  # a layer or an optimizer has variables for such a rate unless it is 0
_DIFFERS = (
    "cannot be 0 for some members of a population and more for others: with 0 there are fewer variables, and members "
    "take over each other's"
)
_NEVER = ("dataset", "seed", "evolution", "lineage")


def dimensions(space: Space) -> Dimensions:
    """By override key. Raises: ConfigError if one cannot be taken over with the state of another member."""
    if space.groups:
        raise ConfigError(
            f"{', '.join(space.groups)}: a population takes over weights, so all of its members have the same config "
            f"groups. Choose one option: {space.groups[0]}={space.typed[space.groups[0]].choices[0]}"
        )
    found = {key: brought.distribution for key, brought in space.dimensions({}).items()}
    for key, of in found.items():
        if not _may_differ(key, of):
            raise ConfigError(
                f"{key} cannot be searched by a population: members take over each other's weights, optimizer state "
                f"and place in the data, for which it has to be the same. Give one value, {key}=…, and search "
                "hparams, optimizer, schedule and augment: hydra.sweeper.spaces=[hparams,optimizer]"
            )
        if _has_variables(key) and not of.single() and holds(of, 0) and not _is_continuous(of):
            raise ConfigError(f"{key} {_DIFFERS}. Leave 0 out of its values.")
    return found


def check_enqueued(trials: Sequence[Mapping[str, Any]], dimensions: Dimensions) -> None:
    """Raises: ConfigError if a member cannot be given one of these to begin with."""
    for values in trials:
        for key, value in values.items():
            if value == 0 and _has_variables(key) and not dimensions[key].single():
                raise ConfigError(f"hydra.sweeper.enqueue: {key}={value}, but {key} {_DIFFERS}. Give a small number.")


def _has_variables(key: str) -> bool:
    return any(word in key.rpartition(".")[2] for word in _WITH_VARIABLES)


def _may_differ(key: str, of: BaseDistribution) -> bool:
    group, _, rest = key.lstrip("+").partition(".")
    if group in _ANY:
        return True
    if group == "trainer" and rest != _RATE_OF_TRAINER:
        return rest in _OF_TRAINER
    return group not in _NEVER and _is_rate(of)


def _is_rate(of: BaseDistribution) -> bool:
    """Whole numbers count units and layers."""
    if isinstance(of, CategoricalDistribution):
        return all(isinstance(choice, float) for choice in of.choices)
    return isinstance(of, FloatDistribution)


def _is_continuous(of: BaseDistribution) -> bool:
    """No value of it is drawn twice, its bounds are not drawn at all."""
    return isinstance(of, FloatDistribution) and not of.step

"""What the members of a population may differ in: nothing that decides the shape of a weight, or what a score means."""

from __future__ import annotations

from optuna.distributions import BaseDistribution, FloatDistribution

from sweeper.errors import ConfigError
from sweeper.evolution.method import Dimensions
from sweeper.search.space import Space

_ANY = ("hparams", "schedule", "augment")  # groups all of whose values may differ; a shape is checked again in training
_OF_TRAINER = ("label_smoothing", "ema", "class_weights")
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
    return found


def _may_differ(key: str, of: BaseDistribution) -> bool:
    group, _, rest = key.lstrip("+").partition(".")
    if group in _ANY:
        return True
    if group == "trainer":
        return rest in _OF_TRAINER
    return group not in _NEVER and isinstance(of, FloatDistribution)  # a rate: whole numbers count units and layers

"""What two trials must have in common for one program to train both: all but what is known to be a mere number."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
from hydra.utils import get_object
from omegaconf import DictConfig

from sweeper.training import instances
from sweeper.training.parts import Parts
from sweeper.training.trainer import Trainer
from sweeper.training.twins import has_variable_rate

_ANY = "any"  # stands for a number that a program holds in a variable
_DATA = ("__keras_tensor__", "__tensor__", "__numpy__")  # classes of a description that has their values in it


@dataclass(frozen=True)
class Structure:
    network: str  # as Keras describes it in JSON, with any dropout rates
    weights: tuple[tuple[tuple[int, ...], str], ...]  # shape and type of each
    own: str | None  # the config of a network with parts that are not Keras', and the seed it may have drawn from
    optimizer: str  # its class and config, with any numbers
    trainer: Trainer  # with what no program holds at the same values for all


def of(cfg: DictConfig, parts: Parts, steps: int, allow: Sequence[str] = ()) -> Structure:
    """cfg: what the parts were made of. steps: an epoch. allow: what `cfg` may call beside what is always allowed."""
    model, optimizer = (instances.keys(cfg, group, allow) for group in ("model", "optimizer"))
    described = json.loads(parts.net.to_json())
    own = None if _is_of_keras(parts.net, described) else _text([model, cfg.seed])
    rated = {layer.name for layer in parts.net.layers if has_variable_rate(layer)}
    for layer in described["config"]["layers"]:
        if layer["config"].get("name") in rated:
            layer["config"]["rate"] = _ANY
    return Structure(
        network=_text(described),
        weights=tuple((tuple(variable.shape), str(variable.dtype)) for variable in parts.net.variables),
        own=own,
        optimizer=_text([str(type(parts.optimizer)), _without_numbers(optimizer, parts)]),
        trainer=_as_held(parts, steps),
    )


def _is_of_keras(net: keras.Model, described: dict[str, Any]) -> bool:
    """Only then its description tells all that it does: it has no more of a function than a name, which can even be one
    of Keras', and of an own layer what its author thought of.
    """
    layers = list(net._flatten_layers())
    within = [value for layer in layers for value in vars(layer).values() if callable(value)]  # activations, say
    modules = [getattr(part, "__module__", None) for part in (*layers, *within)]
    return all(str(module).partition(".")[0] == "keras" for module in (*modules, *_modules(described)))


def _modules(described: Any) -> Iterator[str | None]:
    """Of all that has a class: layers, operations, their functions and initializers."""
    if isinstance(described, dict):
        if described.get("class_name", _DATA[0]) not in _DATA:
            yield described.get("module")
        described = list(described.values())
    if isinstance(described, list):
        for each in described:
            yield from _modules(each)


def _without_numbers(optimizer: Mapping[str, Any], parts: Parts) -> dict[str, Any]:
    """Its config. A function that makes an optimizer may decide by any of its numbers, but for the learning rate, which
    it is not given.
    """
    numbers = parts.numbers if get_object(optimizer["_target_"]) is type(parts.optimizer) else {}
    return {key: value for key, value in optimizer.items() if key not in ("learning_rate", *numbers)}


def _as_held(parts: Parts, steps: int) -> Trainer:
    """All its values separate but these."""
    return replace(
        parts.trainer,
        steps_per_execution=parts.steps_at_once(steps),
        ema=0.5 if parts.trainer.ema else None,
        epochs=1,
        patience=None,
        patience_metric=None,
        label_smoothing=0.0,
        latency=False,
        checkpoint=None,
    )


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=repr)

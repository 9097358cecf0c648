"""What the groups of a config stand for: the function that `_target_` names is called with the group's other keys."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, MissingMandatoryValue, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sweeper import text
from sweeper.config import allowed
from sweeper.data import Dataset
from sweeper.errors import ConfigError, DataError
from sweeper.training import cache

if TYPE_CHECKING:
    import keras


def make(cfg: DictConfig, group: str, allow: Sequence[str] = (), **known: Any) -> Any:
    """What the `_target_` of a config group makes of the group's keys (but `space`, the sweep's) and of `known`.

    allow: targets beside those of sweeper.allowed and of the command line.
    Raises: ConfigError if a key has no value yet, its target refuses one, or is not permitted.
    """
    given = keys(cfg, group, allow)
    try:
        return instantiate(given, _partial_=True, _convert_="all")(**known)
    except OSError as error:
        raise DataError(f"{group}: {error}. Give files that may be read.") from error
    except (TypeError, ValueError, InstantiationException) as error:
        told = ", ".join(f"{group}.{key}={value}" for key, value in given.items() if key != "_target_")
        raise ConfigError(f"{cfg[group]._target_} refuses what it was given ({told}): {error}") from error


def network(cfg: DictConfig, input_shape: tuple[int, ...], num_classes: int, allow: Sequence[str] = ()) -> keras.Model:
    """Of the config group model, for images of that shape.

    Raises: as `make`, and ConfigError for what has no layers to count and trace, or could not be saved once trained.
    """
    net = make(cfg, "model", allow, input_shape=input_shape, num_classes=num_classes)
    if not (hasattr(net, "inputs") and hasattr(net, "outputs")):
        raise ConfigError(
            f"{cfg.model._target_} returned a {type(net).__name__}, in which no layers are connected. Return "
            "keras.Model(inputs, outputs), or a keras.Sequential that begins with keras.Input(input_shape)."
        )
    try:
        net.to_json()
    except Exception as error:  # whatever a layer's own get_config does
        raise ConfigError(
            f"{cfg.model._target_} returned a network that Keras cannot save: {' '.join(str(error).split())} Give its "
            "layers functions with a name, and your own layers a get_config with all that they are made of."
        ) from error
    return net


def dataset(cfg: DictConfig, allow: Sequence[str] = ()) -> Dataset:
    """Of the config group, from the folder `cache` if it was loaded before.

    Raises: as `make`, and DataError from the loader.
    """
    load = partial(make, cfg, "dataset", allow)
    missing = OmegaConf.missing_keys(cfg.dataset)
    folder = cache_folder(cfg)
    if missing or not folder:
        return load()
    return cache.load(keys(cfg, "dataset", allow), load, folder)


def cache_folder(cfg: DictConfig) -> Path | None:
    """Where data sets and measurements are kept, if they are."""
    return Path(cfg.cache).expanduser() if cfg.get("cache") else None


def word(group: DictConfig) -> str:
    """The file's stem, which is the word on the command line: custom for sweeper.models.custom.build."""
    return group._target_.split(".")[-2]


def keys(cfg: DictConfig, group: str, allow: Sequence[str] = ()) -> dict[str, Any]:
    """Of a config group, but `space`, which is the sweep's; plain, resolved and checked. Raises: as `make`."""
    try:
        found = OmegaConf.to_container(cfg[group], resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        key = error.full_key
        raise ConfigError(f"{key} has no value and {cfg[group]._target_} needs one. Give it: {key}=…") from None
    except (OmegaConfBaseException, ValueError) as error:  # an interpolation that leads nowhere; no group at all
        raise ConfigError(f"{group}: {text.first_line(str(error))}") from error
    if not isinstance(found, dict) or "_target_" not in found:
        raise ConfigError(f"{group} has no _target_, the function that makes it. Choose one of its files: {group}=…")
    found.pop("space", None)
    allowed.check(found, group, (*allow, *allowed.typed()))
    return found

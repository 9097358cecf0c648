"""What the groups of a config stand for: the function that `_target_` names is called with the group's other keys."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, MissingMandatoryValue, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sweeper import text
from sweeper.config import allowed
from sweeper.data import Dataset
from sweeper.errors import ConfigError, DataError
from sweeper.training import cache


def make(cfg: DictConfig, group: str, allow: Sequence[str] = (), **known: Any) -> Any:
    """What the `_target_` of a config group makes of the group's keys (but `space`, the sweep's) and of `known`.

    allow: targets beside those of sweeper.allowed and of the command line.
    Raises: ConfigError if a key has no value yet, its target refuses one, or is not permitted.
    """
    keys = _keys(cfg, group, allow)
    try:
        return instantiate(keys, _partial_=True, _convert_="all")(**known)
    except OSError as error:
        raise DataError(f"{group}: {error}. Give files that may be read.") from error
    except (TypeError, ValueError, InstantiationException) as error:
        given = ", ".join(f"{group}.{key}={value}" for key, value in keys.items() if key != "_target_")
        raise ConfigError(f"{cfg[group]._target_} refuses what it was given ({given}): {error}") from error


def dataset(cfg: DictConfig, allow: Sequence[str] = ()) -> Dataset:
    """Of the config group, from the folder `cache` if it was loaded before.

    Raises: as `make`, and DataError from the loader.
    """
    load = partial(make, cfg, "dataset", allow)
    missing = OmegaConf.missing_keys(cfg.dataset)
    folder = cache_folder(cfg)
    if missing or not folder:
        return load()
    return cache.load(_keys(cfg, "dataset", allow), load, folder)


def cache_folder(cfg: DictConfig) -> Path | None:
    """Where data sets and measurements are kept, if they are."""
    return Path(cfg.cache).expanduser() if cfg.get("cache") else None


def word(group: DictConfig) -> str:
    """The file's stem, which is the word on the command line: custom for sweeper.models.custom.build."""
    return group._target_.split(".")[-2]


def _keys(cfg: DictConfig, group: str, allow: Sequence[str]) -> dict[str, Any]:
    """Plain, resolved and checked."""
    try:
        keys = OmegaConf.to_container(cfg[group], resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        key = error.full_key
        raise ConfigError(f"{key} has no value and {cfg[group]._target_} needs one. Give it: {key}=…") from None
    except (OmegaConfBaseException, ValueError) as error:  # an interpolation that leads nowhere; no group at all
        raise ConfigError(f"{group}: {text.first_line(str(error))}") from error
    if not isinstance(keys, dict) or "_target_" not in keys:
        raise ConfigError(f"{group} has no _target_, the function that makes it. Choose one of its files: {group}=…")
    keys.pop("space", None)
    allowed.check(keys, group, (*allow, *allowed.typed()))
    return keys

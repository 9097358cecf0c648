"""Config nodes that name their class in `_target_`, made into objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from sweeper.config import allowed
from sweeper.errors import ConfigError


def made(node: Any, key: str, allow: Sequence[str], **known: Any) -> Any:
    """The object that a config node describes, null keys left out; Hydra before 1.4 has already made it."""
    if not isinstance(node, DictConfig):
        return node
    try:
        keys = OmegaConf.to_container(node, resolve=True)
        allowed.check(keys, key, allow)
        given = {name: value for name, value in keys.items() if value is not None}
        return instantiate(given, _convert_="all", **known)
    except ConfigError:
        raise
    except Exception as error:
        if isinstance(error.__cause__, ConfigError):  # Hydra wraps what a class of ours has against its keys
            raise error.__cause__ from None
        raise ConfigError(f"{key}: {node.get('_target_')} refused its settings: {error}") from error

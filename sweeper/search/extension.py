"""The user's own function of a trial, which adds dimensions in Python: `hydra.sweeper.custom_search_space`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from omegaconf import DictConfig

from sweeper.config import allowed
from sweeper.search.settings import Settings


def read(settings: Settings, config: DictConfig) -> Callable[[Any], None] | None:
    """Called with an `optuna.Trial`. Raises: ConfigError if there is no such function, or it is not allowed."""
    path = settings.custom_search_space
    if path is None:
        return None
    return partial(allowed.function(path, "hydra.sweeper.custom_search_space", settings.allow), config)

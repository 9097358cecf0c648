"""Which executor runs the trials: the one that the user has chosen."""

from __future__ import annotations

from typing import Any

from sweeper.config import node
from sweeper.engine.executor import Executor
from sweeper.errors import ConfigError
from sweeper.search.settings import Settings


def chosen(settings: Settings, **keys: Any) -> Executor:
    """That of `hydra.sweeper.executor`. keys: instead of its own.

    Raises: ConfigError if there is none, or it refuses its keys.
    """
    if settings.executor is None:
        raise ConfigError(
            "hydra.sweeper.executor=null: nothing would run the trials. Choose hydra/sweeper/executor=local"
        )
    known = {"slots": settings.n_jobs, "most": settings.most} | keys
    return node.made(settings.executor, "hydra.sweeper.executor", settings.allow, **known)

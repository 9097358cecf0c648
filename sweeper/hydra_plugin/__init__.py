"""Hydra's door into the engine. Installed, this package is `hydra_plugins.sweeper`: Hydra looks for plugins there only.

So any Hydra application can say `hydra/sweeper: study`, with no line of Python for it.
"""

from __future__ import annotations

import sys
from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from sweeper import plugin
from sweeper.engine import mishap
from sweeper.search import settings


class StudySweeper(Sweeper):
    def __init__(self, **keys: Any):
        self._keys = keys

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._context, self._task, self._config = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> None:
        """Leaves by SystemExit unless the sweep finished, with its reason on stderr."""
        from sweeper.sweep import sweep  # Optuna starts there

        try:
            code = sweep.run(settings.read(self._keys), arguments, self._config, self._context, self._task)
        except (Exception, KeyboardInterrupt) as error:  # the latter before the first trial, or for the second time
            code = mishap.tell(error)
        if code:
            sys.exit(code)


plugin.store_groups()

"""Hydra's door into the engine: the class that `hydra/sweeper: study` names."""

from __future__ import annotations

import sys
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from sweeper import settings
from sweeper.errors import ConfigError, SweeperError


class StudySweeper(Sweeper):
    def __init__(self, **keys: Any):
        self._keys = keys

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._context, self._task, self._config = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> None:
        """Leaves by SystemExit unless the sweep finished, with its reason on stderr."""
        from sweeper import sweep  # Optuna starts there

        try:
            self._check_launcher()
            code = sweep.run(settings.read(self._keys), arguments, self._config, self._context, self._task)
        except SweeperError as error:
            print(f"\n{error}", file=sys.stderr)
            code = error.exit_code
        except KeyboardInterrupt:  # before the first trial, or for the second time
            code = sweep.INTERRUPTED
        if code:
            sys.exit(code)

    def _check_launcher(self) -> None:
        launcher = self._config.hydra.launcher.get("_target_", "")
        if not launcher.endswith(".BasicLauncher"):
            raise ConfigError(
                f"hydra/launcher: {launcher} is not used by hydra/sweeper=study, whose slots come from "
                "hydra/sweeper/executor. Leave hydra/launcher out."
            )


def register() -> None:
    """Makes the class known to Hydra, also under the namespace `hydra_plugins`, the only one it takes plugins from."""
    plugins = Plugins.instance()
    plugins.register(StudySweeper)
    plugins.class_name_to_class["hydra_plugins.sweeper.StudySweeper"] = StudySweeper

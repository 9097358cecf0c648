"""What `hydra/launcher` means to a sweep: whether its slots are processes of this machine, or jobs of a queue."""

from __future__ import annotations

import math
from importlib.util import find_spec

from omegaconf import DictConfig, OmegaConf

from sweeper.errors import ConfigError
from sweeper.machine import hardware
from sweeper.search.settings import Settings
from sweeper.slurm.executor import QueueExecutor
from sweeper.slurm.queue import Queue, Slurm, ThisMachine

_SUBMITIT = "hydra_plugins.hydra_submitit_launcher.submitit_launcher"
_LOCAL = "sweeper.engine.local.LocalExecutor"
_TRIALS_A_SLOT = 5  # at least, where the user does not say how many slots: a sampler learns from trials that have ended


def is_queue(node: DictConfig) -> bool:
    """node: `hydra.launcher`. Raises: ConfigError if it is neither Hydra's own nor one of submitit's."""
    target = node.get("_target_", "")
    if target.endswith(".BasicLauncher"):
        return False
    if target in (f"{_SUBMITIT}.SlurmLauncher", f"{_SUBMITIT}.LocalLauncher"):
        return True
    raise ConfigError(
        f"hydra/launcher: {target} is not used by hydra/sweeper=study, which hands out trials one by one. Leave "
        "hydra/launcher out for slots of this machine, give submitit_slurm for jobs of Slurm, or "
        "hydra/sweeper/executor=ray for a Ray cluster."
    )


def executor(node: DictConfig, settings: Settings, most: int) -> QueueExecutor:
    """node: `hydra.launcher`, which `is_queue`. most: jobs side by side.

    Raises: ConfigError if there is no such queue here, or it cannot have trials with these keys.
    """
    keys = OmegaConf.to_container(node, resolve=True)
    is_slurm = keys.pop("_target_").endswith(".SlurmLauncher")
    if find_spec("submitit") is None:
        raise ConfigError("hydra/launcher: submitit is not installed: pip install 'sweeper[slurm]'")
    for key in ("nodes", "tasks_per_node"):
        if keys.get(key, 1) != 1:
            raise ConfigError(f"hydra.launcher.{key}={keys[key]}: a trial is one process. Give 1.")
    if settings.executor.get("_target_") != _LOCAL:
        raise ConfigError(
            "hydra/launcher hands out the trials as jobs, and so would hydra/sweeper/executor. Leave one of them out."
        )
    slots = _slots(settings, most, keys.pop("array_parallelism", None))  # there are no arrays
    threads = settings.executor.get("threads")
    queue: Queue = Slurm(keys) if is_slurm else ThisMachine(keys)
    if not is_slurm:  # where nobody gives a job its share of the cores
        threads = threads or keys.get("cpus_per_task") or max(1, hardware.cores() // slots)
    memory_limit = settings.executor.get("memory_limit")
    preload = settings.executor.get("preload") or ()
    return QueueExecutor(queue, slots, str(keys["name"]), threads, memory_limit, preload)


def _slots(settings: Settings, most: int, parallelism: int | None) -> int:
    wanted = settings.n_jobs or math.ceil(settings.n_trials / _TRIALS_A_SLOT)
    return max(1, min(wanted, most, parallelism or wanted))

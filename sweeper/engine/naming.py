"""What the folder of a trial is called within that of its sweep: its number, or what `hydra.sweep.subdir` wants."""

from __future__ import annotations

from collections.abc import Callable

from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from sweeper.records import record

Naming = Callable[[int, list[str]], str]  # number and overrides of a trial -> its folder in the sweep's


def of(config: DictConfig, context: HydraContext) -> Naming:
    """That of the sweep which this config describes."""

    def composed(number: int, overrides: list[str]) -> str:
        trial = context.config_loader.load_sweep_config(config, overrides)
        with read_write(trial.hydra), open_dict(trial.hydra):
            trial.hydra.job.id = trial.hydra.job.num = number
        return record.inside(str(trial.hydra.sweep.subdir), "hydra.sweep.subdir")

    wanted = OmegaConf.to_container(config.hydra.sweep, resolve=False)["subdir"]
    return by_number if wanted == "${hydra.job.num}" else composed  # to compose takes 0.1 s


def by_number(number: int, overrides: list[str]) -> str:
    return str(number)

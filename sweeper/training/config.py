"""`config.yaml` in a trial's folder: all that the trial was trained with, each value resolved."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from sweeper.errors import DataError
from sweeper.records import plain
from sweeper.records.record import CONFIG
from sweeper.secret import without_credentials


def write(folder: Path, cfg: DictConfig) -> None:
    (folder / CONFIG).write_text(as_text(cfg), encoding="utf-8")


def read(folder: Path) -> DictConfig:
    """Of the trial in `folder`, which may be a stranger's: an interpolation in it could tell what is on this machine.

    Raises: FileNotFoundError if `folder` holds no config.yaml, DataError if it is damaged or not resolved.
    """
    advice = "It should be as the training wrote it."
    keys = plain.read(folder / CONFIG, advice)
    if not isinstance(keys.get("dataset"), dict) or "${" in (folder / CONFIG).read_text(encoding="utf-8"):
        raise DataError(f"{folder / CONFIG} is no config of a trial, with a dataset and all values resolved. {advice}")
    return OmegaConf.create(keys)


def is_of(cfg: DictConfig, folder: Path) -> bool:
    """Whether the trial in `folder`, if there is one, has this config."""
    path = folder / CONFIG
    return path.exists() and path.read_text(encoding="utf-8") == as_text(cfg)


def as_text(cfg: DictConfig) -> str:
    """As the file has it."""
    return without_credentials(OmegaConf.to_yaml(cfg, resolve=True))

"""`model.yaml`: what a saved network needs beside its weights to be used by somebody else."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from sweeper.errors import DataError

NAME = "model.yaml"


@dataclass(frozen=True)
class Card:
    model: str  # the word on the command line: custom
    dataset: str
    classes: tuple[str, ...]
    input_shape: tuple[int, int, int]  # height, width, channels
    mean: tuple[float, ...]  # per channel, in 0..255: the network expects (pixel - mean) / std
    std: tuple[float, ...]
    metric: str
    value: float
    parameters: int
    run_id: str | None = None  # MLflow's run, once it is known
    trial: str | None = None  # SWEEP/NUMBER, once it is exported

    def write(self, folder: Path) -> None:
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        (folder / NAME).write_text(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True), encoding="utf-8")


def read(folder: Path) -> Card:
    """Raises: FileNotFoundError if `folder` holds no model.yaml, DataError if it is damaged."""
    path = folder / NAME
    try:
        plain = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Card(**{key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()})
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, TypeError) as error:  # no mapping, or not of these keys
        raise DataError(f"{path} is damaged: {error}. Export the network again: python -m sweeper export") from error

"""`model.yaml`: what a saved network needs beside its weights to be used by somebody else."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite, prod
from pathlib import Path

import yaml

from sweeper.errors import DataError
from sweeper.records import plain, typed

NAME = "model.yaml"
LARGEST = 2**28  # numbers of an input; it would not fit into memory beside a network


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
    path, advice = folder / NAME, "Export the network again: python -m sweeper export"
    row = plain.read(path, advice)
    try:
        found = typed.make(Card, row)
        _check(found)
    except TypeError as error:  # a key too many or too few, or its value of another type
        raise DataError(f"{path} is damaged: {error}. {advice}") from error
    return found


def _check(card: Card) -> None:
    """Raises: TypeError if its fields do not fit each other."""
    channels = card.input_shape[-1]
    if not card.classes or min(card.input_shape) < 1 or prod(card.input_shape) > LARGEST:
        raise TypeError(f"{len(card.classes)} classes and an input of {card.input_shape}")
    if not len(card.mean) == len(card.std) == channels or not all(map(isfinite, card.mean)) or not min(card.std) > 0:
        raise TypeError(f"mean {card.mean} and std {card.std} for {channels} channels")

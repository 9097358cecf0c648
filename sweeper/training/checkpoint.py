"""What a training needs to go on after its process died, as if nothing had happened: kept on disk after an epoch."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from sweeper.records.events import Metrics
from sweeper.records.record import CONFIG

NAME = "checkpoint.npz"  # in the trial's folder, until the trial has ended
_NEW = f"new_{NAME}"
_ARRAYS = ("network", "optimizer", "best_weights")
_TOLD = ("curve", "order")


@dataclass(frozen=True)
class Checkpoint:
    curve: list[Metrics]  # of the epochs trained so far
    network: list[np.ndarray]  # its variables, the states of its random generators included
    optimizer: list[np.ndarray]  # its variables
    best_weights: list[np.ndarray]  # of the network, after its best epoch
    order: dict[str, Any] = field(default_factory=dict)  # of a segment: what decides which image comes when, by key


def write(folder: Path, checkpoint: Checkpoint) -> None:
    """Takes the place of the last one, at once. Raises: OSError if the disk does not take it."""
    named = {f"{kind}_{number}": array for kind in _ARRAYS for number, array in enumerate(getattr(checkpoint, kind))}
    new = folder / _NEW
    try:
        with open(new, "wb") as file:
            np.savez(file, curve=json.dumps(checkpoint.curve), order=json.dumps(checkpoint.order), **named)
        os.replace(new, folder / NAME)
    finally:
        new.unlink(missing_ok=True)


def copy(origin: Path, folder: Path) -> None:
    """What a training in `origin` has left to go on from, and the config that it is of; nothing if it is not there."""
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        for name in (NAME, CONFIG):
            shutil.copyfile(origin / name, folder / name)


def delete(folder: Path) -> None:
    """Also what a process was writing when it was killed."""
    for name in (NAME, _NEW):
        (folder / name).unlink(missing_ok=True)


def read(folder: Path) -> Checkpoint | None:
    """None if there is none, or none that can be read: then a training starts from the beginning."""
    try:
        with np.load(folder / NAME, allow_pickle=False) as file:
            arrays = {kind: [file[name] for name in file.files if name.startswith(f"{kind}_")] for kind in _ARRAYS}
            told = {key: json.loads(str(file[key])) for key in _TOLD if key in file.files}
            return Checkpoint(**told, **arrays)
    except (OSError, ValueError, TypeError, KeyError, EOFError, BadZipFile):
        return None

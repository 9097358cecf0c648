"""`origin.yaml` beside a trial's config: its data, packages and machine. The same again gives the same network."""

from __future__ import annotations

import platform
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import yaml

from sweeper.data import Dataset
from sweeper.errors import DataError
from sweeper.machine import hardware
from sweeper.records import plain, typed

NAME = "origin.yaml"
PACKAGES = ("sweeper", "tensorflow", "keras", "numpy")


@dataclass(frozen=True)
class Origin:
    data: str  # fingerprint of the data set; empty where its loader tells none
    machine: str
    threads: int  # that an operation may use
    versions: dict[str, str]


def here(data: Dataset) -> Origin:
    """For a process that trains, or is about to."""
    return Origin(data.fingerprint, hardware.name(), hardware.threads(), dict(_versions()))


@cache
def _versions() -> dict[str, str]:
    """To look them up takes milliseconds, and a slot trains many trials."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):  # a checkout that is not installed
            found[package] = version(package)
    return found


def write(folder: Path, origin: Origin) -> None:
    (folder / NAME).write_text(yaml.safe_dump(asdict(origin), sort_keys=False), encoding="utf-8")


def read(folder: Path) -> Origin:
    """Raises: FileNotFoundError if the trial in `folder` left none, DataError if it is damaged."""
    advice = "Delete it."
    row = plain.read(folder / NAME, advice)
    try:
        return typed.make(Origin, row)
    except TypeError as error:
        raise DataError(f"{folder / NAME} is damaged: {error}. {advice}") from error

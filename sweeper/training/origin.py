"""`origin.yaml` beside a trial's config: its data, code, packages, machine. The same again gives the same network."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import yaml
from omegaconf import DictConfig, OmegaConf

from sweeper.config import allowed
from sweeper.data import Dataset
from sweeper.errors import DataError
from sweeper.machine import hardware
from sweeper.records import plain, typed
from sweeper.training import sources

NAME = "origin.yaml"
PACKAGES = ("sweeper", "tensorflow", "keras", "numpy")
MOST_THREADS = 4096  # more than any machine has; TensorFlow ends the process where it cannot start as many


@dataclass(frozen=True)
class Origin:
    data: str  # fingerprint of the data set; empty where its loader tells none
    machine: str
    threads: int  # that an operation may use
    versions: dict[str, str]
    unseeded: str = ""  # of the data set too: the fingerprint that another seed does not change
    code: str = ""  # see `sources.fingerprint`; empty where an earlier version trained, which took none


def here(data: Dataset, cfg: DictConfig) -> Origin:
    """For a process that trains what `cfg` describes, or is about to."""
    code = sources.fingerprint(_called(cfg))
    machine, threads = hardware.name(), hardware.threads()
    return Origin(data.fingerprint, machine, threads, dict(_versions()), data.unseeded, code)


def _called(cfg: DictConfig) -> Iterator[str]:
    """Dotted names of what the groups of a training are made by."""
    for group in (group for group in allowed.NAMESPACES if group in cfg):
        node = OmegaConf.to_container(cfg[group], resolve=True)
        yield from (target for _, target in allowed.targets(node, group) if isinstance(target, str))


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
        found = typed.make(Origin, row)
        if not 1 <= found.threads <= MOST_THREADS:
            raise TypeError(f"threads is {found.threads}, not from 1 to {MOST_THREADS}")
        return found
    except TypeError as error:
        raise DataError(f"{folder / NAME} is damaged: {error}. {advice}") from error

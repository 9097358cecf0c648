"""Data sets for nodes that lack their files: loaded beside the coordinator, sent once a node, kept in its cache.

The slots of a node then map one file, as those of this machine do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sweeper.config.composer import Composer
from sweeper.engine import slot
from sweeper.engine.process import Process
from sweeper.errors import SweeperError
from sweeper.training import cache, instances

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Located:
    """A data set in the cache of this machine."""

    keys: str  # a digest of what it is made from, without the files
    entry: Path
    folder: str  # of the cache, as the config has it: a node may mean another one by it


@dataclass(frozen=True)
class Parcel:
    name: str  # of the entry
    keys: str
    folder: str
    files: Any  # in Ray's object store: the reference to a mapping of names to bytes, as arrays

    @property
    def names(self) -> dict[str, str]:
        """See `TrialJob.shipped`."""
        return {self.keys: self.name}


class DataSets:
    """Its process begins when it is first asked. For one thread."""

    def __init__(self, begin: Callable[[], Process], put: Callable[[Mapping[str, np.ndarray]], Any]):
        """begin: a process of `main`. put: into the object store."""
        self._begin, self._put = begin, put
        self._process: Process | None = None
        self._parcels: dict[str, Parcel] = {}

    def of(self, overrides: Sequence[str]) -> Parcel | None:
        """That of a trial; None where it has none, or this machine cannot load it: its slot will try, and tell why."""
        try:
            self._process = self._process or self._begin()
            self._process.send(list(overrides))
            located: Located | None = self._process.connection.recv()
        except (EOFError, OSError) as error:
            _log.warning("The process that loads data sets for the cluster was lost: %s", error)
            self.close()
            return None
        if located is None:
            return None
        name = located.entry.name
        if name not in self._parcels:
            files = {file.name: np.fromfile(file, np.uint8) for file in located.entry.iterdir()}
            self._parcels[name] = Parcel(name, located.keys, located.folder, self._put(files))
        return self._parcels[name]

    def close(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None


def lay_out(parcel: Parcel, get: Callable[[Any], Mapping[str, np.ndarray]]) -> None:
    """Into the cache of this node, unless it is there. get: out of the object store. Raises: SweeperError"""
    folder = Path(OmegaConf.create({"cache": parcel.folder}).cache).expanduser()
    try:
        cache.put(folder / parcel.name, lambda: get(parcel.files))
    except OSError as error:
        raise SweeperError(
            f"{folder}: {error.strerror or error}. A node of the cluster keeps data sets there. Give a folder that it "
            "can write: hydra.sweeper.executor.runtime_env={env_vars: {SWEEPER_CACHE: …}}"
        ) from error


def main(connection: Connection, log: str, environment: Mapping[str, str], preload: Sequence[str]) -> None:
    """Of the process, until it is sent None."""
    work = slot.begin(connection, log, environment, preload)
    HydraConfig.instance().set_config(work.config)  # which functions it may call
    composer = Composer(work.context.config_loader, work.config)
    while (overrides := connection.recv()) is not None:
        try:
            connection.send(locate(composer.compose(overrides)))
        except Exception:
            _log.exception("no data set of %s", " ".join(overrides))
            connection.send(None)


def locate(cfg: DictConfig) -> Located | None:
    """Loads the data set of a trial, unless that is kept already. None of a task without one, or where none is kept.

    Raises: as `instances.dataset`.
    """
    folder = instances.cache_folder(cfg)
    if folder is None or OmegaConf.select(cfg, "dataset._target_") is None:
        return None
    keys = instances.keys(cfg, "dataset")
    entry = cache.entry(keys, folder)
    if not cache.holds(entry):
        instances.dataset(cfg)
    return Located(cache.digest(keys), entry, _as_written(cfg)) if cache.holds(entry) else None


def _as_written(cfg: DictConfig) -> str:
    """`cache` with what a node knows by itself, its environment, left open."""
    written = OmegaConf.to_container(cfg, resolve=False)["cache"]
    try:
        OmegaConf.create({"cache": written}).cache  # noqa: B018  whether it stands by itself
    except OmegaConfBaseException:
        return str(cfg.cache)
    return str(written)

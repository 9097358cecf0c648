"""Data sets for nodes that lack their files: loaded beside the coordinator, sent once a node, kept in its cache.

The slots of a node then map one file, as those of this machine do.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sweeper.engine import enquiry, process
from sweeper.engine.process import Process
from sweeper.errors import SweeperError
from sweeper.machine import hardware
from sweeper.training import cache, instances

_NAME = "data"  # of the process, and of its log
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
    """Those of trials, loaded by a process that begins when the first one is asked for."""

    def __init__(self):
        self._thread = ThreadPoolExecutor(1, "data")  # who asks has others to listen to
        self._process: Process | None = None
        self._is_closed = False
        self._parcels: dict[str, Parcel] = {}  # by the name of the entry

    def start(self, work: bytes, logs: Path) -> None:
        """Begins nothing yet. work: a pickled `slot.Work`."""
        self._work, self._logs = work, logs

    def of(self, overrides: Sequence[str]) -> Future[Parcel | None]:
        """That of a trial; None where it has none, or this machine cannot load it: its slot will try, and tell why."""
        return self._thread.submit(self._found, overrides)

    def close(self) -> None:
        self._is_closed = True
        self._end()  # whoever waits for it waits no longer
        self._thread.shutdown(cancel_futures=True)
        self._end()  # if it has begun just now

    def _found(self, overrides: Sequence[str]) -> Parcel | None:
        import ray

        try:
            loader = self._process = self._process or self._begun()
            loader.send(list(overrides))
            located: Located | None = loader.connection.recv()
        except (EOFError, OSError) as error:
            if not self._is_closed:
                _log.warning("The process that loads data sets for the cluster was lost: %s", error)
            self._end()
            return None
        if located is None:
            return None
        name = located.entry.name
        if name not in self._parcels:
            files = {file.name: np.fromfile(file, np.uint8) for file in located.entry.iterdir()}
            self._parcels[name] = Parcel(name, located.keys, located.folder, ray.put(files))
        return self._parcels[name]

    def _begun(self) -> Process:
        surroundings = process.surroundings(threads=1, card=None)
        context = process.context((), hardware.gpus())
        main = partial(enquiry.main, locate, "data set", None)
        return process.begin(context, _NAME, main, self._work, self._logs, surroundings, ())

    def _end(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None


def lay_out(parcel: Parcel) -> None:
    """Into the cache of this node, unless it is there. Raises: SweeperError if the node does not keep it."""
    import ray

    folder = Path(OmegaConf.create({"cache": parcel.folder}).cache).expanduser()
    try:
        cache.put(folder / parcel.name, lambda: ray.get(parcel.files))
    except OSError as error:
        raise SweeperError(
            f"{folder}: {error.strerror or error}. A node of the cluster keeps data sets there. Give a folder that it "
            "can write: hydra.sweeper.executor.runtime_env={env_vars: {SWEEPER_CACHE: …}}"
        ) from error


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

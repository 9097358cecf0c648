"""Loaded data sets on disk: read in milliseconds the next time, and held in memory once for all slots of a machine."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from sweeper.data import Dataset, Split

VERSION = 1  # of what lies in an entry
LIMIT = 8e9  # bytes; beyond them the entries that were not used for longest are removed
SPLITS = ("train", "validation", "test")
PLAIN = tuple(field.name for field in fields(Dataset) if field.name not in SPLITS)

_log = logging.getLogger(__name__)


def load(keys: Mapping[str, Any], make: Callable[[], Any], folder: Path) -> Any:
    """What `make` returns; if that is a Dataset, from `folder` once it is there, with images that are memory maps.

    keys: the config group, whose `_target_` names the loader. An entry belongs to their values, to the loader's source
    and to the names, sizes and times of all files that a key names: it is made anew when one of them changes.
    A folder that cannot be written costs a warning and nothing else.
    """
    entry = folder / f"{keys['_target_'].split('.')[-2:][0]}-{_fingerprint(keys)}"
    found = _read(entry)
    if found:
        return found
    with ExitStack() as stack:
        try:
            stack.enter_context(_locked(entry))
        except OSError as error:
            return _uncached(make(), folder, error)
        found = _read(entry)  # made by another process while this one waited
        made = found or make()
        if found or not isinstance(made, Dataset):
            return made
        try:
            _write(made, entry)
            _evict(folder, entry)
        except OSError as error:
            return _uncached(made, folder, error)
    return _read(entry) or made


def _uncached(made: Any, folder: Path, error: OSError) -> Any:
    _log.warning("%s: the data set is used without being kept there: %s", folder, error.strerror or error)
    return made


def _fingerprint(keys: Mapping[str, Any]) -> str:
    """16 hexadecimal digits that change with anything that the data set is made from."""
    digest = hashlib.sha256(json.dumps([VERSION, dict(keys)], sort_keys=True, default=str).encode())
    digest.update(_source(keys["_target_"]))
    for value in keys.values():
        if isinstance(value, str) and os.path.exists(value):
            for line in _files(os.path.abspath(value)):
                digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def _source(target: str) -> bytes:
    """Of the module that holds `target`. If there is none, the loader will tell what is wrong."""
    module = target
    while module := module.rpartition(".")[0]:
        with suppress(ModuleNotFoundError):
            found = importlib.util.find_spec(module)
            if found and found.origin:
                return Path(found.origin).read_bytes()
    return b""


def _files(path: str) -> Iterator[str]:
    """A line for `path`, or for each file below it: name, size and time of the last change."""
    if not os.path.isdir(path):
        found = os.stat(path)
        yield f"{path} {found.st_size} {found.st_mtime_ns}\n"
        return
    with os.scandir(path) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            yield from _files(entry.path)


@contextmanager
def _locked(entry: Path) -> Iterator[None]:
    """One process at a time; the lock of one that was killed is free. Raises: OSError if the folder is not writable."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    with open(entry.with_suffix(".lock"), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read(entry: Path) -> Dataset | None:
    """None if there is no such entry, or a damaged one."""
    try:
        plain = json.loads((entry / "dataset.json").read_text(encoding="utf-8"))
        splits = {name: _read_split(entry, name) for name in SPLITS}
        os.utime(entry)  # used: it is evicted later
    except (OSError, ValueError):
        return None
    lists_are_tuples = {key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()}
    return Dataset(**splits, **lists_are_tuples)


def _read_split(entry: Path, name: str) -> Split:
    """Raises: OSError or ValueError if one of its files is missing or cut short."""
    images = np.load(entry / f"{name}.images.npy", mmap_mode="r", allow_pickle=False)
    return Split(images, np.load(entry / f"{name}.labels.npy", allow_pickle=False))


def _write(data: Dataset, entry: Path) -> None:
    """All of it or nothing."""
    with tempfile.TemporaryDirectory(prefix=f".{entry.name}-", dir=entry.parent) as scratch:
        new = Path(scratch) / "new"
        new.mkdir()
        for name in SPLITS:
            np.save(new / f"{name}.images.npy", getattr(data, name).images)
            np.save(new / f"{name}.labels.npy", getattr(data, name).labels)
        plain = {name: getattr(data, name) for name in PLAIN}
        (new / "dataset.json").write_text(json.dumps(plain), encoding="utf-8")
        shutil.rmtree(entry, ignore_errors=True)  # a damaged one
        new.rename(entry)


def _evict(folder: Path, kept: Path) -> None:
    """Removes the entries that were not used for longest until the others are within LIMIT."""
    entries = sorted((file.parent for file in folder.glob("*/dataset.json")), key=lambda entry: -entry.stat().st_mtime)
    size = 0
    for entry in entries:
        size += sum(file.stat().st_size for file in entry.iterdir())
        if size > LIMIT and entry != kept:
            shutil.rmtree(entry, ignore_errors=True)
            entry.with_suffix(".lock").unlink(missing_ok=True)

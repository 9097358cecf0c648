"""Loaded data sets on disk: read in milliseconds the next time, and held in memory once for all slots of a machine."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import IO, Any

import numpy as np

from sweeper.data import Dataset, Split

VERSION = 2  # of what lies in an entry
LIMIT = 8e9  # bytes; beyond them the entries that were not used for longest are removed
SHIPPED = "SWEEPER_SHIPPED"  # of the environment: digests of keys -> entries, where the files lie on another machine
SPLITS = ("train", "validation", "test")
NAMES = "*-" + "[0-9a-f]" * 16  # of entries; the user may keep other things in the folder, a uv.lock or a dataset.json
_FIELDS = "dataset.json"  # in an entry: the fields that are no arrays
PLAIN = tuple(field.name for field in fields(Dataset) if field.name not in SPLITS)

_log = logging.getLogger(__name__)


def load(keys: Mapping[str, Any], make: Callable[[], Any], folder: Path) -> Any:
    """What `make` returns; if that is a Dataset, from `folder` once it is there, with images that are memory maps.

    keys: the config group, whose `_target_` names the loader. An entry belongs to their values, to the source of the
    loader and of sweeper/data.py, and to the names, sizes and times of all files that a key names: it is made anew when
    one of them changes.
    A folder that cannot be written costs a warning and nothing else.
    """
    there = entry(keys, folder)
    found = _read(there)
    if found:
        return found
    with ExitStack() as stack:
        try:
            stack.enter_context(_locked(there))
        except OSError as error:
            return _uncached(make(), folder, error)
        found = _read(there)  # made by another process while this one waited
        made = found or make()
        if found or not isinstance(made, Dataset):
            return made
        try:
            _write(made, there)
        except (OSError, TypeError, ValueError) as error:  # no space; a field that JSON does not know
            return _uncached(made, folder, error)
        with suppress(OSError):  # another process evicts at the same moment
            _evict(folder, there)
    return _read(there) or made


def entry(keys: Mapping[str, Any], folder: Path) -> Path:
    """Where `load` keeps what it made of these keys."""
    shipped = json.loads(os.environ.get(SHIPPED, "{}")).get(digest(keys))
    return folder / (shipped or f"{keys['_target_'].split('.')[-2:][0]}-{_fingerprint(keys)}")


def digest(keys: Mapping[str, Any]) -> str:
    """Of the keys alone, whatever the files hold that they name."""
    return hashlib.sha256(_text(keys)).hexdigest()[:16]


def holds(entry: Path) -> bool:
    return (entry / _FIELDS).is_file()


def put(entry: Path, files: Callable[[], Mapping[str, np.ndarray]]) -> None:
    """Writes an entry that another machine has made, unless it is there. files: its bytes by name, asked for if needed.

    Raises: OSError if the folder does not take it.
    """
    if holds(entry):
        return
    with _locked(entry):
        if holds(entry):  # written by another process while this one waited
            return
        with _new(entry) as new:
            for name, content in files().items():
                content.tofile(new / name)
        with suppress(OSError):  # another process evicts at the same moment
            _evict(entry.parent, entry)


def _uncached(made: Any, folder: Path, error: Exception) -> Any:
    why = getattr(error, "strerror", None) or error
    _log.warning("%s: the data set is used without being kept there: %s", folder, why)
    return made


def _fingerprint(keys: Mapping[str, Any]) -> str:
    """16 hexadecimal digits that change with anything that the data set is made from; never an error."""
    made = hashlib.sha256(_text(keys))
    for target in (keys["_target_"], f"{Dataset.__module__}.Dataset"):
        made.update(_source(target))
    for text in _texts(dict(keys)):
        if os.path.exists(text):
            for line in _files(os.path.abspath(text), {}):
                made.update(line.encode(errors="surrogateescape"))
    return made.hexdigest()[:16]


def _text(keys: Mapping[str, Any]) -> bytes:
    return json.dumps([VERSION, dict(keys)], sort_keys=True, default=str).encode()


def _texts(value: Any) -> Iterator[str]:
    """Those in a key's value, which may be a list or a mapping of lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(part)


def _source(target: str) -> bytes:
    """Of the module that holds `target`. If there is none that can be read, the loader will tell what is wrong."""
    module = target
    while module := module.rpartition(".")[0]:
        with suppress(ImportError, OSError, ValueError):
            found = importlib.util.find_spec(module)
            if found and found.origin:
                return Path(found.origin).read_bytes()
    return b""


def _files(path: str, seen: dict[tuple[int, int], str]) -> Iterator[str]:
    """A line for `path`, or for each file below it: name, size and time of the last change. Links are followed.

    What cannot be read, say a dangling link, has a line that says so.
    seen: where each folder, by device and inode, was met first. It is listed only there: links may lead in circles.
    """
    try:
        found = os.stat(path)
        names = sorted(os.listdir(path)) if stat.S_ISDIR(found.st_mode) else None
    except OSError as error:
        yield f"{path} cannot be read: {error.errno}\n"
        return
    if names is None:
        yield f"{path} {found.st_size} {found.st_mtime_ns}\n"
        return
    first = seen.setdefault((found.st_dev, found.st_ino), path)
    if first != path:
        yield f"{path} is {first}\n"
        return
    for name in names:
        yield from _files(os.path.join(path, name), seen)


@contextmanager
def _locked(entry: Path, wait: bool = True) -> Iterator[None]:
    """One process at a time; the lock of one that was killed is free, and what it had begun to write is removed.

    The lock file goes while it is held: who waits for it then finds that it is gone, and takes the next one.
    Raises: OSError if the folder is not writable, or if another process is there and this one does not `wait`.
    """
    entry.parent.mkdir(parents=True, exist_ok=True)
    path = entry.with_suffix(".lock")
    while True:
        with open(path, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_at(path, file):
                continue
            try:
                for scratch in entry.parent.glob(f".{entry.name}-*"):
                    shutil.rmtree(scratch, ignore_errors=True)
                yield
            finally:
                with suppress(OSError):
                    if _is_at(path, file):  # else the user emptied the folder, and another process may hold a new one
                        path.unlink()
            return


def _is_at(path: Path, file: IO) -> bool:
    try:
        return os.path.samefile(path, file.fileno())
    except FileNotFoundError:
        return False


def _read(entry: Path) -> Dataset | None:
    """None if there is no such entry, a damaged one, or one with the fields of another version."""
    try:
        plain = json.loads((entry / _FIELDS).read_text(encoding="utf-8"))
        splits = {name: _read_split(entry, name) for name in SPLITS}
        lists_are_tuples = {key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()}
        found = Dataset(**splits, **lists_are_tuples)
    except Exception:  # numpy tells of a damaged file by any of EOFError, ValueError, TokenError, BadZipFile
        return None
    with suppress(OSError):  # a cache that is read-only
        os.utime(entry)  # used: it is evicted later
    return found


def _read_split(entry: Path, name: str) -> Split:
    """Raises: OSError if one of its files is missing, and all sorts of errors if one is cut short or empty."""
    images = np.load(entry / f"{name}.images.npy", mmap_mode="r", allow_pickle=False)
    return Split(images, np.load(entry / f"{name}.labels.npy", allow_pickle=False))


def _write(data: Dataset, entry: Path) -> None:
    with _new(entry) as new:
        for name in SPLITS:
            np.save(new / f"{name}.images.npy", getattr(data, name).images)
            np.save(new / f"{name}.labels.npy", getattr(data, name).labels)
        plain = {name: getattr(data, name) for name in PLAIN}
        (new / _FIELDS).write_text(json.dumps(plain), encoding="utf-8")


@contextmanager
def _new(entry: Path) -> Iterator[Path]:
    """A folder that becomes the entry once all is in it: all of it or nothing."""
    with tempfile.TemporaryDirectory(prefix=f".{entry.name}-", dir=entry.parent) as scratch:
        new = Path(scratch) / "new"
        new.mkdir()
        yield new
        shutil.rmtree(entry, ignore_errors=True)  # a damaged one
        new.rename(entry)


def _evict(folder: Path, kept: Path) -> None:
    """Removes what killed processes left, and the entries not used for longest until the others are within LIMIT."""
    for lock in folder.glob(f"{NAMES}.lock"):
        with suppress(OSError), _locked(lock.with_suffix(""), wait=False):
            pass  # nobody was there: its lock file was left behind, and goes with all that lay beside it
    entries = [file.parent for file in folder.glob(f"{NAMES}/{_FIELDS}")]
    size = 0
    for entry in sorted(entries, key=lambda entry: -entry.stat().st_mtime):
        size += sum(file.stat().st_size for file in entry.iterdir())
        if size > LIMIT and entry != kept:
            shutil.rmtree(entry, ignore_errors=True)

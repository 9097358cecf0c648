"""`trials.jsonl`: the truth about a sweep, one event a line, only ever appended to."""

from __future__ import annotations

import errno
import fcntl
import json
import math
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, get_args

from sweeper import typed
from sweeper.errors import ConfigError, DataError
from sweeper.events import EpochReported, Event
from sweeper.secret import hide
from sweeper.typed import Row

NAME = "trials.jsonl"
KINDS = {kind.__name__: kind for kind in get_args(Event)}
_EPOCH = re.compile(rb'{"event":"EpochReported","trial":(\d+),')  # how `write` begins the lines that are nine in ten
_LATEST = 1e11  # seconds since 1970; a time beyond it is none


class Journal:
    """Appends to `folder/trials.jsonl` and holds it alone: a second coordinator in the same folder is refused.

    Every event but an epoch's is on the disk when `write` returns. A last line torn by a crash is cut on opening.
    """

    def __init__(self, folder: Path):
        """Raises: ConfigError if the folder cannot be written, or another process holds it."""
        self._path, self._made = folder / NAME, not folder.exists()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = open(self._path, "a+b", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise ConfigError(
                f"{folder}: {error.strerror}. A sweep needs a folder that it can write to: hydra.sweep.dir=FOLDER"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise ConfigError(
                f"{folder} is in use by another sweep. "
                "Wait for it, or give this one a folder of its own: hydra.sweep.dir=multirun/NAME"
            ) from None
        self.size = cut_torn_line(self._file)  # bytes

    @property
    def empty(self) -> bool:
        return self.size == 0

    def write(self, event: Event) -> None:
        """All of it or nothing. Raises: OSError if the disk is full."""
        row = {"event": type(event).__name__} | hide(asdict(event))
        line = json.dumps(row, default=_plain, separators=(",", ":")).encode() + b"\n"
        append(self._file, line, self.size, sync=not isinstance(event, EpochReported))
        self.size += len(line)

    def close(self) -> None:
        """Leaves neither file nor folder behind when nothing was written: a sweep that never began is none."""
        if self.empty:
            self._path.unlink()
            if self._made and not any(self._path.parent.iterdir()):
                self._path.parent.rmdir()
        self._file.close()


def append(file: FileIO, lines: bytes, size: int, *, sync: bool) -> None:
    """All of it or nothing. size: bytes of the file. sync: on the disk when it returns.

    Raises: OSError if the disk is full.
    """
    try:
        if file.write(lines) < len(lines):  # what had room
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), file.name)
        if sync:
            os.fsync(file.fileno())
    except OSError:
        file.truncate(size)
        raise


def cut_torn_line(file: BinaryIO) -> int:
    """Cuts what a crash left of a last line in the middle of writing it; returns the bytes that stay."""
    file.seek(0)
    whole = file.read().rfind(b"\n") + 1
    file.truncate(whole)
    return whole


def in_use(folder: Path) -> bool:
    """Whether a coordinator, in any process, holds this folder's journal now."""
    with open(folder / NAME, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def read(folder: Path, *, epochs: bool | Callable[[int], bool] = True, until: int | None = None) -> Iterator[Event]:
    """The events of a sweep's folder, oldest first; without `epochs` ten times faster.

    epochs: a function of a trial's number is asked at each of its epochs. until: only so many bytes of the journal.
    A last line torn by a crash, and kinds of events that only a newer version knows, are left out.
    Raises: FileNotFoundError if the folder holds no journal, DataError naming the line if one is damaged.
    """
    path = folder / NAME
    for number, line in lines(path, until):
        epoch = _EPOCH.match(line)
        if epoch and not (epochs(int(epoch[1])) if callable(epochs) else epochs):
            continue
        row = parse(path, number, line)
        kind = KINDS.get(str(row.pop("event", None)))
        if kind is None:
            continue
        try:
            event = typed.make(kind, row)
            if not 0 <= event.time < _LATEST:
                raise TypeError(f"time is {event.time}, not of this age")
        except TypeError as error:  # a field too many or too few, or of another type
            raise DataError(
                f"{path}, line {number}: {error}. Another version wrote it: read it with that one."
            ) from None
        yield event


def rows(path: Path, kind: type[Row]) -> Iterator[Row]:
    """A .jsonl file as dataclasses; what they have no field for is left out. Nothing if there is no such file.

    Raises: DataError naming the line if one is damaged.
    """
    known = {field.name for field in fields(kind)}
    for number, line in lines(path) if path.exists() else ():
        row = parse(path, number, line)
        try:
            yield typed.make(kind, {key: value for key, value in row.items() if key in known})
        except TypeError as error:
            raise DataError(f"{path}, line {number}: {error}. Delete that line.") from None


def lines(path: Path, until: int | None = None) -> Iterator[tuple[int, bytes]]:
    """The whole lines of a .jsonl file with their numbers from 1. A torn last line is left out, and what lies after
    the first `until` bytes.

    Raises: FileNotFoundError if there is none, DataError if it cannot be read.
    """
    if path.exists() and not path.is_file():  # to open a pipe would wait for ever
        raise DataError(f"{path} is no file. Move it away.")
    left = math.inf if until is None else until
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, start=1):
                left -= len(line)
                if left < 0 or not line.endswith(b"\n"):
                    return
                yield number, line
    except PermissionError:
        raise DataError(f"{path} may not be read by you. Ask whom it belongs to.") from None


def parse(path: Path, number: int, line: bytes) -> dict[str, Any]:
    """Raises: DataError if the line is not a JSON object."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise DataError(
            f"{path}, line {number} is damaged: {line.decode(errors='replace').strip()[:60]!r} is not a JSON object. "
            "Delete that line: every other one stands for itself."
        )
    return row


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{value!r} ({type(value).__name__}) cannot be written to {NAME}. Report numbers and text only.")

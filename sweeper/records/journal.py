"""`trials.jsonl`: the truth about a sweep, one event a line, only ever appended to."""

from __future__ import annotations

import fcntl
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, get_args

from sweeper.errors import ConfigError, DataError
from sweeper.records import jsonl, typed
from sweeper.records.events import EpochReported, Event
from sweeper.secret import hide

NAME = "trials.jsonl"
KINDS = {kind.__name__: kind for kind in get_args(Event)}
_EPOCH = re.compile(rb'{"event":"EpochReported","trial":(\d+),')  # how `write` begins the lines that are nine in ten
_LATEST = 1e11  # seconds since 1970; a time beyond it is none
PATIENCE = 2.0  # seconds that a journal which somebody else holds is asked for again
_PAUSE = 0.25  # seconds between two looks at what is added


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
        if not _held(self._file):
            self._file.close()
            raise ConfigError(
                f"{folder} is in use by another sweep. "
                "Wait for it, or give this one a folder of its own: hydra.sweep.dir=multirun/NAME"
            )
        self.size = jsonl.cut_torn_line(self._file)  # bytes

    @property
    def empty(self) -> bool:
        return self.size == 0

    def write(self, event: Event) -> None:
        """All of it or nothing. Raises: OSError if the disk is full."""
        row = {"event": type(event).__name__} | hide(asdict(event))
        line = json.dumps(row, default=_plain, separators=(",", ":")).encode() + b"\n"
        jsonl.append(self._file, line, self.size, sync=not isinstance(event, EpochReported))
        self.size += len(line)

    def close(self) -> None:
        """Leaves neither file nor folder behind when nothing was written: a sweep that never began is none."""
        if self.empty:
            self._path.unlink()
            if self._made and not any(self._path.parent.iterdir()):
                self._path.parent.rmdir()
        self._file.close()


def _held(file: BinaryIO) -> bool:
    """Whether it is ours alone now. What a killed process had begun may hold it for a moment more."""
    patience = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > patience:
                return False
            time.sleep(0.05)


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
    for number, line in jsonl.lines(path, until):
        epoch = _EPOCH.match(line)
        if epoch and not (epochs(int(epoch[1])) if callable(epochs) else epochs):
            continue
        event = _event(path, number, line)
        if event:
            yield event


def follow(folder: Path) -> Iterator[Event]:
    """The events so far, and then each that is added, as long as a coordinator holds this folder's journal.

    Raises: FileNotFoundError and DataError as `read`.
    """
    path, number, line = folder / NAME, 0, b""
    with open(path, "rb") as file:
        while True:
            held = in_use(folder)  # asked first: what it wrote last is read below
            for part in file:
                line += part
                if line.endswith(b"\n"):  # else it is being written
                    number += 1
                    event, line = _event(path, number, line), b""
                    if event:
                        yield event
            if not held:
                return
            time.sleep(_PAUSE)


def _event(path: Path, number: int, line: bytes) -> Event | None:
    """Of a line. None if only a newer version knows its kind. Raises: DataError as `read`."""
    row = jsonl.parse(path, number, line)
    kind = KINDS.get(str(row.pop("event", None)))
    if kind is None:
        return None
    try:
        event = typed.make(kind, row)
        if not 0 <= event.time < _LATEST:
            raise TypeError(f"time is {event.time}, not of this age")
    except TypeError as error:  # a field too many or too few, or of another type
        raise DataError(f"{path}, line {number}: {error}. Another version wrote it: read it with that one.") from None
    return event


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{value!r} ({type(value).__name__}) cannot be written to {NAME}. Report numbers and text only.")

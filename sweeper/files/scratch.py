"""A folder beside another one, in which that is made anew; what a killed process has left of it goes with the next."""

from __future__ import annotations

import fcntl
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

LOCK = "lock"  # in it: held as long as its process lives
STALE = 24 * 3600  # seconds after which one without a lock is nobody's
_CONTENT = {LOCK, "new"}  # never what an earlier one held, which a process killed in between had put aside


@contextmanager
def beside(folder: Path) -> Iterator[Path]:
    """`.NAME-xxxxxxxx` in the same place, gone afterwards. Raises: OSError where nothing can be written."""
    _sweep_up(folder)
    with TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as made, open(Path(made, LOCK), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Path(made)


def _sweep_up(folder: Path) -> None:
    name = re.compile(rf"\.{re.escape(folder.name)}-[a-z0-9_]{{8}}")  # as TemporaryDirectory makes them
    for place in folder.parent.iterdir():
        if name.fullmatch(place.name) and place.is_dir() and {file.name for file in place.iterdir()} <= _CONTENT:
            with suppress(OSError):
                if _is_stale(place):
                    shutil.rmtree(place)


def _is_stale(place: Path) -> bool:
    lock = place / LOCK
    if not lock.exists():  # of an earlier version, or made this moment
        return time.time() - place.stat().st_mtime > STALE
    with open(lock) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True

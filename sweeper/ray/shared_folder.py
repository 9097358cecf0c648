"""The sweep's folder on a node of a cluster: the very same one, or a scratch folder whose files travel as bytes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sweeper.records.record import inside

_LOGS = "slots"


@dataclass(frozen=True)
class Site:
    """Where a sweep lies on the coordinator's machine."""

    sweep: str  # its folder
    cwd: str
    project: str  # the user's code
    token: str  # a file in it, of a name that no other sweep has: who sees it has the folder
    shared: bool | None = None  # what the user says of that, if anything

    def log(self, number: int) -> Path:
        """Of the slot of that number."""
        return Path(self.sweep, _LOGS, f"slot-{number}.log")

    def find(self, number: int) -> Shared | Scratch:
        """On a node, for the slot of that number."""
        sees = Path(self.token).is_file() and os.access(self.sweep, os.W_OK)
        is_shared = sees if self.shared is None else self.shared
        return Shared(Path(self.sweep), self.cwd) if is_shared else Scratch(number)

    def moved(self, ground: Shared | Scratch) -> dict[str, str]:
        """The places of this machine that lie elsewhere on a node, with where they lie."""
        return {} if ground.is_shared else {self.sweep: str(ground.sweep), self.project: ground.project}

    def as_there(self, text: str, ground: Shared | Scratch | None) -> str:
        """A text of the node's, with the places where the coordinator finds what it names."""
        return text.replace(str(ground.sweep), self.sweep) if ground else text


class Shared:
    is_shared = True

    def __init__(self, sweep: Path, cwd: str):
        self.sweep, self.logs, self.cwd = sweep, sweep / _LOGS, cwd

    def lay_out(self, files: Mapping[str, bytes]) -> None:
        """All are there."""

    def changed(self) -> dict[str, bytes]:
        return {}

    def added_to_log(self) -> bytes:
        return b""

    def clear(self) -> None:
        """The files stay where they belong."""


class Scratch:
    """Of one slot alone."""

    is_shared = False
    cwd: str | None = None  # as the node has it

    def __init__(self, number: int):
        self.project = os.getcwd()  # Ray has unpacked it there
        self._top = Path(tempfile.mkdtemp(prefix="sweeper-"))
        self.sweep = self._top / "sweep"
        self.logs = self.sweep / _LOGS
        self.logs.mkdir(parents=True)
        self._log = self.logs / f"slot-{number}.log"
        self._logged = 0  # bytes of it that are known
        self._known: dict[str, tuple[int, int]] = {}  # time and size of the files that the coordinator has

    def lay_out(self, files: Mapping[str, bytes]) -> None:
        """Of the trial that begins; what the last one has left goes."""
        for entry in self.sweep.iterdir():
            if entry != self.logs:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        unpack(files, self.sweep)
        self._known = dict(self._marks())

    def changed(self) -> dict[str, bytes]:
        """What the coordinator does not have yet, by its path in the sweep's folder."""
        marks = dict(self._marks())
        names = [name for name, mark in marks.items() if self._known.get(name) != mark]
        self._known = marks
        return {name: (self.sweep / name).read_bytes() for name in names}

    def added_to_log(self) -> bytes:
        if not self._log.exists():
            return b""
        with open(self._log, "rb") as file:
            file.seek(self._logged)
            added = file.read()
        self._logged += len(added)
        return added

    def clear(self) -> None:
        shutil.rmtree(self._top, ignore_errors=True)

    def _marks(self) -> list[tuple[str, tuple[int, int]]]:
        files = [path for path in self.sweep.rglob("*") if path.is_file() and self.logs not in path.parents]
        return [(str(path.relative_to(self.sweep)), _mark(path)) for path in files]


def _mark(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def pack(sweep: Path, folders: Sequence[str]) -> dict[str, bytes]:
    """The files of those folders of the sweep's, by their path in it."""
    files = (path for folder in folders for path in (sweep / folder).rglob("*") if path.is_file())
    return {str(path.relative_to(sweep)): path.read_bytes() for path in files}


def unpack(files: Mapping[str, bytes], sweep: Path) -> None:
    """Each takes the place of the file of its name at once.

    Raises: OSError if the disk does not take one, DataError for a name that leads out of the folder.
    """
    for name, content in files.items():
        path = sweep / inside(name, "A file of a slot")
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        try:
            new.write_bytes(content)
            os.replace(new, path)
        finally:
            new.unlink(missing_ok=True)

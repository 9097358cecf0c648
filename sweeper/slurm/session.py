"""The folder through which a coordinator and its jobs speak: who writes what, and where.

    work            what all trials share, pickled
    heart           beats as long as the coordinator lives
    told/NAME       a message of a job; NAME ends with the job's key
    jobs/KEY/       of one job: `id` in the queue, the answer to each message under its NAME, and `end`

It lies in the sweep's folder, not in the trials': all that jobs tell is found by one listing, and a trial that is begun
again by a later session meets nothing of an earlier one.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sweeper.engine.executor import Died, Done, Message, Raised, Ready, Reported
from sweeper.records import typed
from sweeper.slurm import letters

_log = logging.getLogger(__name__)
_PREFIX, _ID, _END = "jobs-", "id", "end"
_KINDS = {kind.__name__: kind for kind in (Ready, Reported, Done, Raised, Died)}


@dataclass(frozen=True)
class Session:
    folder: Path

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def heart(self) -> Path:
        return self.folder / "heart"

    @property
    def ids(self) -> list[str]:
        """Of all jobs that were handed over."""
        return [file.read_text() for file in self._jobs.glob(f"*/{_ID}")]

    @property
    def _jobs(self) -> Path:
        return self.folder / "jobs"

    @property
    def _told(self) -> Path:
        return self.folder / "told"

    def begin(self, key: str) -> None:
        """Before a job is handed over."""
        (self._jobs / key).mkdir()

    def handed_over(self, key: str, job: str) -> None:
        """job: its ID in the queue."""
        (self._jobs / key / _ID).write_text(job)

    def over(self, key: str) -> None:
        """The job has told how its trial ended."""
        shutil.rmtree(self._jobs / key, ignore_errors=True)

    def give_up(self, key: str) -> None:
        """The job shall end, and is told so in case nobody else can tell it."""
        letters.post(self._jobs / key, _END, {})

    def is_unwanted(self, key: str) -> bool:
        box = self._jobs / key
        return not box.is_dir() or _END in letters.arrived(box)

    def tell(self, key: str, message: Message) -> str:
        """By a job. The letter's name, under which the answer will lie."""
        name = f"{time.time_ns():020d}.{key}"
        letters.post(self._told, name, {"kind": type(message).__name__} | asdict(message))
        return name

    def told(self) -> Iterator[tuple[str, str, Message]]:
        """What jobs have told since the last time, in order: the letter's name, the job's key, the message."""
        for name in letters.arrived(self._told):
            try:
                content = letters.take(self._told, name)
                if content is not None:
                    yield name, name.partition(".")[2], typed.make(_KINDS[content.pop("kind")], content)
            except (KeyError, TypeError, ValueError) as error:
                _log.warning("%s is no letter of a job: %s", self._told / name, error)

    def reply(self, key: str, name: str, stop: bool) -> None:
        """To a job's letter of that name."""
        letters.post(self._jobs / key, name, {"stop": stop})

    def answer(self, key: str, name: str) -> bool | None:
        """To a job; None while there is none."""
        box = self._jobs / key
        content = letters.take(box, name) if name in letters.arrived(box) else None
        return None if content is None else bool(content["stop"])


def new(logs: Path, work: bytes) -> Session:
    """Its work is for nobody else to read: a config may hold credentials. Raises: OSError if it cannot be written."""
    session = Session(logs / f"{_PREFIX}{uuid.uuid4().hex[:8]}")
    for folder in (session.folder, session._jobs, session._told):
        folder.mkdir(parents=True, mode=0o700)
    with open(os.open(session.work, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.write(work)
        file.flush()
        os.fsync(file.fileno())
    return session


def earlier(logs: Path) -> list[Session]:
    """Those that have left something behind."""
    return [Session(folder) for folder in logs.glob(f"{_PREFIX}*")]


def remove(session: Session) -> None:
    shutil.rmtree(session.folder, ignore_errors=True)

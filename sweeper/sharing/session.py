"""`study.yaml` in a sweep's folder: which study it takes part in, and what its coordinators are known by there."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from omegaconf import OmegaConf

from sweeper.errors import DataError
from sweeper.records import plain, record, typed
from sweeper.sharing.members import Member

NAME = "study.yaml"


@dataclass(frozen=True)
class Session:
    storage: str  # the address, without credentials
    study: str
    token: str  # of the sweep, the same in all its sessions

    def write(self, folder: Path) -> None:
        OmegaConf.save(asdict(self), folder / NAME)


def token(folder: Path) -> str | None:
    """Of the sweep there. None where none can be read: of one on another machine, for instance."""
    try:
        return typed.make(Session, plain.read(folder / NAME, "It is left alone.")).token
    except (OSError, DataError, TypeError):
        return None


def folder_of(trial: int | None, member: Member) -> Path | None:
    """Where this coordinator has trained it, if that is on a disk of this machine, too."""
    folder = Path(member.folder)
    if token(folder) != member.token:
        return None  # this machine has another sweep there, or none
    with suppress(OSError, DataError):
        trials = record.read(folder, curves=False).trials
        return next((known.folder for known in trials if known.number == trial), None)
    return None

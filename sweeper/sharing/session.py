"""`study.yaml` in a sweep's folder: which study it takes part in, and as which coordinator."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from omegaconf import OmegaConf

from sweeper.errors import DataError
from sweeper.records import plain, typed

NAME = "study.yaml"


@dataclass(frozen=True)
class Session:
    storage: str  # the address, without credentials
    study: str
    coordinator: str  # the token of the last one in this folder

    def write(self, folder: Path) -> None:
        OmegaConf.save(asdict(self), folder / NAME)


def token(folder: Path) -> str | None:
    """Of the coordinator there. None where none can be read: of a sweep on another machine, for instance."""
    try:
        return typed.make(Session, plain.read(folder / NAME, "It is left alone.")).coordinator
    except (OSError, DataError, TypeError):
        return None

"""What the coordinator's machine and the actor of a slot say to each other."""

from __future__ import annotations

from dataclasses import dataclass, field

from sweeper.engine.executor import Message, TrialJob
from sweeper.ray.shipped_data import Parcel


@dataclass(frozen=True)
class Submitted:
    job: TrialJob
    files: dict[str, bytes] = field(default_factory=dict)  # of the sweep's folder, for a node that does not have it
    data: Parcel | None = None  # likewise


@dataclass(frozen=True)
class Answered:
    stop: bool


@dataclass(frozen=True)
class Killed:
    pass


@dataclass(frozen=True)
class Ended:
    """The whole slot."""


Command = Submitted | Answered | Killed | Ended


@dataclass(frozen=True)
class Heard:
    node: str  # that the slot is on
    said: list[tuple[int, Message]]  # with the number of the process that said it
    files: dict[str, bytes] = field(default_factory=dict)  # of the sweep's folder, that are new or have changed
    log: bytes = b""  # what has been added to that of the slot
    shares: bool = True  # the sweep's folder with the coordinator
    broken: str | None = None  # why the sweep cannot go on, for the user

"""What the coordinator and whatever runs its trials say to each other. A slot runs one trial at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from sweeper.records.events import Metrics
from sweeper.records.states import State


@dataclass(frozen=True)
class TrialJob:
    number: int
    overrides: list[str]
    subdir: str  # of the sweep's folder
    test: bool = False  # of a confirmation: it is judged on the test data too
    reads: tuple[str, ...] = ()  # other folders of the sweep's: the state of a population that it goes on from
    shipped: dict[str, str] = field(default_factory=dict)  # data sets that its machine was sent; see `cache.SHIPPED`


@dataclass(frozen=True)
class Call:
    """Any function, run where TensorFlow is loaded already."""

    function: Callable[..., Any]
    arguments: tuple = ()


@dataclass(frozen=True)
class Ready:
    slot: int


@dataclass(frozen=True)
class Queued:
    """Said again and again while the slot's trial waits for a machine: no progress is expected of it."""

    slot: int


@dataclass(frozen=True)
class Reported:
    """The slot waits for `Executor.answer`."""

    slot: int
    epoch: int  # from 1
    value: float
    metrics: Metrics


@dataclass(frozen=True)
class Done:
    slot: int
    values: tuple[float, ...]  # one an objective
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Raised:
    slot: int
    reason: str  # the exception's class and message
    told: str  # for the user: the message of a SweeperError; of any other what led to it, and where its traceback is
    place: str | None  # where it was raised: the same place again means the same mistake; None for a matter of chance
    state: State = "FAILED"  # or a more exact one; INTERRUPTED: no fault of the trial, the sweep cannot go on


@dataclass(frozen=True)
class Died:
    slot: int
    reason: str  # for the user: "killed by SIGKILL"
    state: State = "KILLED"  # or OUT_OF_MEMORY: by the trial's own fault
    by_us: bool = False  # ended for the sake of others, which is no failed attempt of the trial


Message = Ready | Queued | Reported | Done | Raised | Died


class Executor(Protocol):
    slots: int | None  # None: a cluster has not told yet how many it holds

    def start(self, work: bytes, log_folder: str) -> None:
        """Brings the slots up and returns at once; each says Ready. `work`: a pickled `slot.Work`."""

    def submit(self, slot: int, job: TrialJob | Call) -> None:
        """To a slot that said Ready; it says Done or Raised, or Died, and is Ready again some time later."""

    def answer(self, slot: int, stop: bool) -> None:
        """To a slot that said Reported."""

    def kill(self, slot: int) -> None:
        """Ends what the slot does; nothing more is heard of it, and the slot is Ready again some time later."""

    def wait(self, timeout: float) -> list[Message]:
        """What the slots said, at the latest after `timeout` seconds."""

    def close(self) -> None:
        """Ends every slot, in the middle of a trial if need be."""

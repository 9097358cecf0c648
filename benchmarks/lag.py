"""How far MLflow is behind a sweep: the mirror's own thread over the events of a journal, each at its time."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.records import journal
from sweeper.records.events import EpochReported, Event, TrialEnded, TrialStarted
from sweeper.tracking import store
from sweeper.tracking.mirror import Item, Mirror

DISK = 0.005  # seconds that a wait of the mirror's ledger for the disk takes
COMMIT = 0.008  # of sqlite's for the disk, which it waits for several times; measured with other work on the machine
WRITES = ("INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True)
class Lag:
    events: int
    seconds: float  # of the simulation, between the first and the last of these events
    work: float  # seconds of the processor
    lags: Sequence[tuple[float, float]]  # (seconds since the first event, seconds from an event to when MLflow has it)


class _Inbox:
    """What the mirror takes its events from, and its clock: of its thread's work, and of waiting for the next event."""

    def __init__(self, events: Sequence[Event], slowdown: float):
        self._events, self._next, self._slowdown = events, 0, slowdown
        self._now = events[0].time
        self._mark: float | None = None  # the thread's processor time when it was last left to its work
        self._unsent: dict[int, float] = {}  # by trial, the time of the first epoch that only the mirror has
        self._sent: list[float] = []  # times of what MLflow has once the mirror asks again
        self._wrote = False  # in the database, since its last commit
        self.work = 0.0
        self.lags: list[tuple[float, float]] = []

    def monotonic(self) -> float:
        if self._mark is not None:
            worked, self._mark = time.thread_time() - self._mark, time.thread_time()
            self.work += worked
            self._now += self._slowdown * worked
        return self._now

    time = monotonic

    def execute(self, _: Any, __: Any, statement: str, *rest: Any) -> None:
        """The database does this."""
        self._wrote |= statement.startswith(WRITES)

    def commit(self, _: Any) -> None:
        """Waits for the disk if there is anything to keep."""
        self._now += COMMIT * self._wrote
        self._wrote = False

    def put(self, item: Item) -> None:
        """The end, which comes after the last event anyway."""

    def get(self, *, timeout: float) -> Item:
        now = self.monotonic()
        start = self._events[0].time
        self.lags += ((at - start, now - at) for at in self._sent)
        self._sent = []
        self._mark = time.thread_time()
        is_over = self._next == len(self._events)
        if is_over and not self._unsent:
            return None
        if is_over or self._events[self._next].time > now + timeout:
            self._now = now + timeout
            self._sent, self._unsent = list(self._unsent.values()), {}
            raise queue.Empty
        event = self._events[self._next]
        self._now = max(now, event.time)
        self._next += 1
        if isinstance(event, EpochReported):
            self._unsent.setdefault(event.trial, event.time)
        else:
            self._sent = [event.time]
            self._now += DISK
            if isinstance(event, TrialEnded) and event.trial in self._unsent:
                self._sent.append(self._unsent.pop(event.trial))
        return event


def measure(folder: Path, at_most: int, slowdown: float) -> Lag:
    """folder: of a sweep, which counts until its last trial begins. at_most: the first so many events of that."""
    events = list(journal.read(folder))
    last = max(i for i, event in enumerate(events) if isinstance(event, TrialStarted) and event.attempt == 0)
    events = events[: min(last + 1, at_most)]
    uri = store.absolute(f"sqlite:///{folder / 'mlflow.db'}")
    store.connect(uri, "simulation")  # what making a database takes is no lag of a sweep's
    inbox = _Inbox(events, slowdown)
    with _heard(inbox):
        mirror = Mirror(folder, experiment="simulation", uri=uri, inbox=inbox, clock=inbox)
        trouble = mirror.close(timeout=86_400)
    if trouble:
        raise SystemExit(trouble)
    return Lag(len(events), events[-1].time - events[0].time, inbox.work, inbox.lags)


@contextmanager
def _heard(inbox: _Inbox) -> Iterator[None]:
    """What a database does in this process."""
    from sqlalchemy import Engine, event

    heard = (("before_cursor_execute", inbox.execute), ("commit", inbox.commit))
    for name, listener in heard:
        event.listen(Engine, name, listener)
    try:
        yield
    finally:
        for name, listener in heard:
            event.remove(Engine, name, listener)

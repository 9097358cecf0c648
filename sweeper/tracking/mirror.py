"""A sweep in MLflow while it runs. MLflow may be slow, away or broken: training neither waits nor fails for it."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from sweeper.clock import Clock
from sweeper.records import journal, sweeps
from sweeper.records.events import Event, SweepEnded
from sweeper.secret import without_credentials
from sweeper.tracking import store
from sweeper.tracking.ledger import Ledger
from sweeper.tracking.run_store import RunStore
from sweeper.tracking.runs import Runs

_FLUSH_SECONDS = 5.0  # how far the curves of a running trial may lag behind in `mlflow ui`
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # seconds between two attempts to reach MLflow

_log = logging.getLogger(__name__)

Item = Event | threading.Event | None  # to write; to set once all before it is sent; the end


class Inbox(Protocol):
    """What the thread works on, in order: a queue.SimpleQueue."""

    def put(self, item: Item) -> None: ...

    def get(self, *, timeout: float) -> Item:
        """timeout: seconds. Raises: queue.Empty if nothing has come by then."""


class _GivenUp(Exception):
    """The sweep is over and MLflow still cannot be reached."""


class Mirror:
    """Hands events to a thread, the only writer to MLflow, and never waits for it.

    While MLflow cannot be reached the thread tries again: events keep their order and none is lost. One that MLflow
    refuses, because somebody deleted its run for instance, is left out. A sweep that goes on is mended first: MLflow
    gets what the process that was killed had not sent yet.
    """

    def __init__(
        self,
        folder: Path,
        *,
        experiment: str,
        uri: str,
        system_metrics: bool = False,
        backlog: int = 0,
        inbox: Inbox | None = None,
        clock: Clock = time,
    ):
        """folder: the sweep's. uri: from `store.resolve`. backlog: bytes of the journal that earlier sessions wrote.
        inbox, clock: those of a simulation.

        Raises: DataError if the folder's ledger is damaged.
        """
        self._folder, self._experiment, self._uri = folder, experiment, uri
        self._system_metrics, self._backlog = system_metrics, backlog
        self._ledger = Ledger(folder)
        store.remember(folder, uri, experiment)
        self._queue = queue.SimpleQueue() if inbox is None else inbox
        self._clock, self._flush_at = clock, 0.0  # on the monotonic clock
        self._closing = threading.Event()
        self._away: str | None = None  # why MLflow cannot be reached now
        self._refused: list[str] = []  # why, one a write
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._thread.start()

    def write(self, event: Event) -> None:
        """Returns at once and never raises."""
        self._queue.put(event)

    def wait(self, timeout: float) -> bool:
        """Whether MLflow has all that was written so far, after at most `timeout` seconds."""
        written = threading.Event()
        self._queue.put(written)
        return written.wait(timeout)

    def close(self, timeout: float) -> str | None:
        """Waits at most `timeout` seconds for MLflow to have it all; if it has not, returns a sentence for the user."""
        self._closing.set()
        self._queue.put(None)
        self._thread.join(timeout)
        if self._away:
            trouble = f"it could not be reached: {self._away}"
        elif self._thread.is_alive():
            trouble = f"it was not done after {timeout:g} seconds"
        elif self._refused:
            trouble = f"it refused {len(self._refused)} writes, the first because: {self._refused[0]}"
        else:
            return None
        return (
            f"{self._name} lacks a part of this sweep: {trouble}. {self._folder / journal.NAME} has it all. "
            f"To write it there later: python -m sweeper replay {sweeps.name(self._folder)}"
        )

    @property
    def _name(self) -> str:
        return f"MLflow at {without_credentials(self._uri)}"

    def _work(self) -> None:
        try:
            runs = self._insist(self._connect)
            self._mend(runs)
            while (item := self._next()) is not None:
                if isinstance(item, threading.Event):
                    self._flush(runs)
                    item.set()
                else:
                    self._insist(partial(runs.write, item))
            self._flush(runs)
        except _GivenUp:
            return
        except Exception as error:  # a bug, or a journal that somebody has edited: `close` tells
            self._refused.append(store.describe(error))
            _log.exception("The mirror in MLflow broke; the sweep goes on without it")

    def _connect(self) -> Runs:
        client, experiment_id = store.connect(self._uri, self._experiment)
        return Runs(RunStore(client, experiment_id, self._ledger), self._folder, system_metrics=self._system_metrics)

    def _mend(self, runs: Runs) -> None:
        """Writes what earlier sessions of this sweep left behind. That they ended is no longer true."""
        if self._backlog:
            for event in journal.read(self._folder, epochs=runs.lacks_epochs, until=self._backlog):
                if not isinstance(event, SweepEnded):
                    self._insist(partial(runs.write, event))

    def _next(self) -> Item:
        """What to do next: write an event, flush and set a threading.Event, or end (None)."""
        try:
            return self._queue.get(timeout=max(0.0, self._flush_at - self._clock.monotonic()))
        except queue.Empty:
            self._flush_at = self._clock.monotonic() + _FLUSH_SECONDS
            return threading.Event()

    def _flush(self, runs: Runs) -> None:
        for trial in runs.unsent():
            self._insist(partial(runs.flush, trial))

    def _insist(self, action: Callable[[], Runs | None]) -> Runs | None:
        """Until MLflow has taken or refused it. Raises: _GivenUp if it cannot be reached and the sweep is over."""
        pause = _FIRST_PAUSE
        while True:
            try:
                result = action()
            except Exception as error:
                reason = store.describe(error)
                if not store.is_temporary(error):
                    self._warn(f"{self._name} refused a part of this sweep: {reason}")
                    self._refused.append(reason)
                    return None
                self._warn(f"{self._name} cannot be reached; the sweep goes on and it is tried again: {reason}")
                self._away = reason
                if self._closing.is_set():
                    raise _GivenUp from error
                self._closing.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                self._away = None
                return result

    def _warn(self, text: str) -> None:
        """Once an outage: `close` tells how it ended."""
        if not (self._away or self._refused):
            _log.warning(text)

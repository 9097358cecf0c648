"""A slot of this machine: a process that takes jobs, and the next one when that is lost, worn out or in the way."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from sweeper.engine import process, slot
from sweeper.engine.executor import Call, Died, Done, Message, Raised, Ready, TrialJob
from sweeper.errors import ConfigError, SweeperError

_WORN = 0.5  # share of the memory limit beyond which a process is replaced between trials
_FAILED_STARTS = 3  # processes in a row that die before they are ready: the next one would too


@dataclass(frozen=True)
class Manner:
    """How the processes of a slot begin, and how long each is used."""

    threads: int
    preload: Sequence[str] = ()  # modules
    gpus: Sequence[str] = ()  # of the machine
    card: str | None = None  # of them, the slot's own; None: all that this process may use
    recycle_after: int | None = None  # trials
    memory_limit: float | None = None  # GB


class Supervisor:
    def __init__(
        self,
        number: int,
        manner: Manner,
        work: bytes,
        logs: Path,
        name: str = "",
        moved: Mapping[str, str] | None = None,
    ):
        """Begins its first process, and returns once that exists. work: a pickled `slot.Work`.

        name: of its log. moved: see `slot.main`.
        Raises: SweeperError if the process that it is forked from has died.
        """
        self.number = number
        self._manner, self._work, self._logs, self._moved = manner, work, logs, dict(moved or {})
        self._name = name or f"slot-{number}"
        self._failed_starts = 0
        self.life = 0  # processes before this one
        self.process = self._begun()

    @property
    def connection(self) -> Connection:
        """Readable when there is something to `hear`."""
        return self.process.connection

    def submit(self, job: TrialJob | Call) -> None:
        self.process.job, self.process.busy_since = job, time.monotonic()
        self.process.send(job)

    def answer(self, stop: bool) -> None:
        self.process.send(stop)

    def hear(self) -> Message:
        """What its process said, or that it was lost; another one takes its place then. Raises: as `bury`."""
        try:
            message = self.process.connection.recv()
        except (EOFError, OSError):
            return self.bury()
        if isinstance(message, Ready):
            self.process.ready, self._failed_starts = True, 0
        return message

    def settle(self, message: Message) -> list[Ready]:
        """After a message: whether the slot takes the next job. It does so later if its process is replaced."""
        if not isinstance(message, Done | Raised):
            return []
        self.process.trials += 1
        self.process.job = None
        if self._is_worn_out() or (isinstance(message, Raised) and message.state == "OUT_OF_MEMORY"):
            self.replace()
            return []
        return [Ready(self.number)]

    def weigh(self) -> Died | None:
        """Ends a trial that takes more than the memory limit, before the kernel chooses whom to end."""
        limit, size = self._manner.memory_limit, self.process.size
        if limit is None or self.process.job is None or size <= limit:
            return None
        self.replace()
        reason = f"it took {size:.1f} GB of hydra.sweeper.executor.memory_limit={limit:g}"
        return Died(self.number, reason, "OUT_OF_MEMORY")

    def bury(self) -> Died:
        """Of a process that was lost. Raises: SweeperError if too many in a row were, before they were ready."""
        reason, state = self.process.autopsy()
        if not self.process.ready:
            self._failed_starts += 1
            if self._failed_starts >= _FAILED_STARTS:
                raise SweeperError(
                    f"The slots die before they are ready ({reason}). Their output is in {self.process.log}, or above. "
                    'A script that starts a sweep needs its `if __name__ == "__main__":`.'
                )
        self.replace()
        return Died(self.number, reason, state)

    def replace(self) -> None:
        self.end()
        self.life += 1
        self.process = self._begun()

    def end(self) -> None:
        self.process.end()

    def _is_worn_out(self) -> bool:
        trials, limit = self._manner.recycle_after, self._manner.memory_limit
        if trials and self.process.trials >= trials:
            return True
        return limit is not None and self.process.size > _WORN * limit

    def _begun(self) -> process.Process:
        manner = self._manner
        main = partial(slot.main, self.number, self._moved)
        surroundings = process.surroundings(manner.threads, manner.card)
        try:
            context = process.context(manner.preload, manner.gpus)
            return process.begin(context, self._name, main, self._work, self._logs, surroundings, manner.preload)
        except (EOFError, ConnectionError, psutil.NoSuchProcess) as error:
            modules = ", ".join(manner.preload)
            raise SweeperError(
                f"hydra.sweeper.executor.preload: the process that imports {modules} for all slots died ({error}). "
                "Try what one of them does when it is imported: python -c 'import …'"
            ) from error


def check(**values: float | None) -> None:
    """Of an executor's keys. Raises: ConfigError for one that is no number above 0."""
    for key, value in values.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value <= 0):
            raise ConfigError(f"hydra.sweeper.executor.{key}={value}: give a number above 0, or null.")

"""Slots on this machine: processes that live from trial to trial."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path

import psutil

from sweeper.engine import process, slot
from sweeper.engine.executor import Call, Died, Done, Message, Raised, Ready, Reported, TrialJob
from sweeper.engine.process import Process
from sweeper.errors import ConfigError, SweeperError
from sweeper.machine import capacity, hardware
from sweeper.machine.gpus import Gpus

_WEIGHING = 0.5  # seconds between two looks at the memory of the slots
_WORN = 0.5  # share of the memory limit beyond which a slot is replaced between trials
_FAILED_STARTS = 3  # slots in a row that die before they are ready: the next one would too


class LocalExecutor:
    def __init__(
        self,
        slots: int | None = None,
        most: int | None = None,
        threads: int | None = None,
        recycle_after: int | None = 200,
        memory_limit: float | None = None,
        preload: Sequence[str] = (),
    ):
        """slots: None is one a core, or on each GPU as many as its memory holds. At most `most`.

        The rest: see executor/local.yaml.

        Raises: ConfigError for a number from 0 down.
        """
        _check(threads=threads, recycle_after=recycle_after, memory_limit=memory_limit)
        names, cores = hardware.gpus(), hardware.cores()
        self._gpus = Gpus(names, known=slots is not None)
        self._most = most or cores
        self.slots = min(slots or len(names) or cores, self._most)
        self._given_threads = threads
        self._recycle_after = recycle_after
        self._memory_limit = memory_limit
        self._preload = preload
        self._processes: dict[int, Process] = {}
        self._begun: Future[None] | None = None
        self._failed_starts = 0
        self._weighed_at = 0.0  # on the monotonic clock

    def start(self, work: bytes, log_folder: str) -> None:
        self._work = work
        self._logs = Path(log_folder)
        self._logs.mkdir(parents=True, exist_ok=True)
        process.context(self._preload, self._gpus.names)  # its imports begin
        self._begun = ThreadPoolExecutor(1).submit(self._begin_all)

    def submit(self, slot: int, job: TrialJob | Call) -> None:
        p = self._processes[slot]
        p.job, p.busy_since = job, time.monotonic()
        p.send(job)

    def answer(self, slot: int, stop: bool) -> None:
        self._processes[slot].send(stop)

    def kill(self, slot: int) -> None:
        self._replace(slot)

    def wait(self, timeout: float) -> list[Message]:
        try:
            self._begun.result(timeout)
        except TimeoutError:
            return []
        by_connection = {p.connection: number for number, p in self._processes.items()}
        messages: list[Message] = []
        for connection in wait(list(by_connection), timeout):
            messages += self._receive(by_connection[connection])
        died = [self._bury(number) for number, p in list(self._processes.items()) if p.lost] + self._weighed()
        gone = {message.slot for message in died}  # an answer to what they reported would reach their successors
        return [message for message in messages if not (isinstance(message, Reported) and message.slot in gone)] + died

    def close(self) -> None:
        if self._begun:
            self._begun.exception()  # when all exist
        for p in self._processes.values():
            p.end()
        self._processes.clear()

    def _weighed(self) -> list[Died]:
        """Ends what takes too much memory, before the kernel chooses whom to end."""
        if time.monotonic() < self._weighed_at + _WEIGHING:
            return []
        self._weighed_at = time.monotonic()
        busy = {number: p for number, p in self._processes.items() if p.job}
        self._gpus.watch(busy)
        too_large = self._too_large(busy) if self._memory_limit else []
        if not too_large and len(busy) > 1 and capacity.is_short():
            latest = max(busy, key=lambda number: busy[number].busy_since)
            return [self._give_up(latest, "the machine had hardly any memory left")]
        return too_large

    def _too_large(self, busy: Mapping[int, Process]) -> list[Died]:
        messages = []
        for number, p in busy.items():
            if p.size > self._memory_limit:
                reason = f"it took {p.size:.1f} GB of hydra.sweeper.executor.memory_limit={self._memory_limit:g}"
                self._replace(number)
                messages.append(Died(number, reason, "OUT_OF_MEMORY"))
        return messages

    def _begin_all(self) -> None:
        for number in range(self.slots):
            self._begin(number)

    def _begin(self, number: int) -> None:
        """Returns once the process exists: the first one waits for what it is forked from."""
        threads = self._given_threads or max(1, hardware.cores() // self.slots)
        surroundings = process.surroundings(threads, self._gpus.of(number))
        try:
            context = process.context(self._preload, self._gpus.names)
            main = partial(slot.main, number)
            begun = process.begin(context, f"slot-{number}", main, self._work, self._logs, surroundings, self._preload)
        except (EOFError, ConnectionError, psutil.NoSuchProcess) as error:
            modules = ", ".join(self._preload)
            raise SweeperError(
                f"hydra.sweeper.executor.preload: the process that imports {modules} for all slots died ({error}). "
                "Try what one of them does when it is imported: python -c 'import …'"
            ) from error
        self._processes[number] = begun

    def _receive(self, number: int) -> list[Message]:
        p = self._processes[number]
        try:
            message = p.connection.recv()
        except (EOFError, OSError):
            return [self._bury(number)]
        match message:
            case Ready():
                p.ready, self._failed_starts = True, 0
            case Reported():
                self._share_card(number)
            case Raised(state="OUT_OF_MEMORY") if self._was_crowded(number):
                return [self._give_up(number, "other slots had the rest of its card's memory")]
            case Done() | Raised():
                p.trials += 1
                p.job = None
                if self._worn_out(p) or (isinstance(message, Raised) and message.state == "OUT_OF_MEMORY"):
                    self._replace(number)
                    return [message]
                return [message, Ready(number)]
        return [message]

    def _share_card(self, number: int) -> None:
        more = self._gpus.more(number)[: self._most - self.slots]
        self.slots += len(more)
        for another in more:
            self._begin(another)

    def _was_crowded(self, number: int) -> bool:
        job = self._processes[number].job
        return isinstance(job, TrialJob) and self._gpus.make_room(number, self._processes, job.number)

    def _give_up(self, number: int, reason: str) -> Died:
        """Its trial starts again in another slot, which has more memory then."""
        self._processes.pop(number).end()
        self.slots -= 1
        return Died(number, f"{reason}, so its slot was given up", by_us=True)

    def _worn_out(self, p: Process) -> bool:
        if self._recycle_after and p.trials >= self._recycle_after:
            return True
        return self._memory_limit is not None and p.size > _WORN * self._memory_limit

    def _bury(self, number: int) -> Died:
        p = self._processes[number]
        reason, state = p.autopsy()
        if not p.ready:
            self._failed_starts += 1
            if self._failed_starts >= _FAILED_STARTS:
                raise SweeperError(
                    f"The slots die before they are ready ({reason}). Their output is in {p.log}, or above. "
                    'A script that starts a sweep needs its `if __name__ == "__main__":`.'
                )
        self._replace(number)
        return Died(number, reason, state)

    def _replace(self, number: int) -> None:
        self._processes.pop(number).end()
        self._begin(number)


def _check(**values: float | None) -> None:
    for key, value in values.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value <= 0):
            raise ConfigError(f"hydra.sweeper.executor.{key}={value}: give a number above 0, or null.")

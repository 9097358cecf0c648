"""Slots on this machine: processes that live from trial to trial."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import wait
from pathlib import Path

from sweeper.engine import process, supervisor
from sweeper.engine.executor import Call, Died, Message, Raised, Reported, TrialJob
from sweeper.engine.supervisor import Manner, Supervisor
from sweeper.machine import capacity, hardware
from sweeper.machine.gpus import Gpus

WEIGHING = 0.5  # seconds between two looks at the memory of the slots


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
        supervisor.check(threads=threads, recycle_after=recycle_after, memory_limit=memory_limit)
        names, cores = hardware.gpus(), hardware.cores()
        self._gpus = Gpus(names, known=slots is not None)
        self._most = most or cores
        self.slots = min(slots or len(names) or cores, self._most)
        self._given_threads = threads
        self._recycle_after = recycle_after
        self._memory_limit = memory_limit
        self._preload = preload
        self._supervisors: dict[int, Supervisor] = {}
        self._begun: Future[None] | None = None
        self._weighed_at = 0.0  # on the monotonic clock

    def start(self, work: bytes, log_folder: str) -> None:
        self._work = work
        self._logs = Path(log_folder)
        self._logs.mkdir(parents=True, exist_ok=True)
        process.context(self._preload, self._gpus.names)  # its imports begin
        self._begun = ThreadPoolExecutor(1).submit(self._begin_all)

    def submit(self, slot: int, job: TrialJob | Call) -> None:
        self._supervisors[slot].submit(job)

    def answer(self, slot: int, stop: bool) -> None:
        self._supervisors[slot].answer(stop)

    def kill(self, slot: int) -> None:
        self._supervisors[slot].replace()

    def wait(self, timeout: float) -> list[Message]:
        try:
            self._begun.result(timeout)
        except TimeoutError:
            return []
        by_connection = {one.connection: one for one in self._supervisors.values()}
        messages: list[Message] = []
        for connection in wait(list(by_connection), timeout):
            messages += self._receive(by_connection[connection])
        died = [one.bury() for one in self._supervisors.values() if one.process.lost] + self._weighed()
        gone = {message.slot for message in died}  # an answer to what they reported would reach their successors
        return [message for message in messages if not (isinstance(message, Reported) and message.slot in gone)] + died

    def close(self) -> None:
        if self._begun:
            self._begun.exception()  # when all exist
        for one in self._supervisors.values():
            one.end()
        self._supervisors.clear()

    def _weighed(self) -> list[Died]:
        """Ends what takes too much memory, before the kernel chooses whom to end."""
        if time.monotonic() < self._weighed_at + WEIGHING:
            return []
        self._weighed_at = time.monotonic()
        busy = [one for one in self._supervisors.values() if one.process.job]
        self._gpus.watch([one.number for one in busy])
        too_large = [died for one in busy if (died := one.weigh())]
        if not too_large and len(busy) > 1 and capacity.is_short():
            latest = max(busy, key=lambda one: one.process.busy_since)
            return [self._give_up(latest.number, "the machine had hardly any memory left")]
        return too_large

    def _begin_all(self) -> None:
        for number in range(self.slots):
            self._begin(number)

    def _begin(self, number: int) -> None:
        """Returns once the process exists: the first one waits for what it is forked from."""
        manner = Manner(
            self._given_threads or max(1, hardware.cores() // self.slots),
            self._preload,
            self._gpus.names,
            self._gpus.of(number),
            self._recycle_after,
            self._memory_limit,
        )
        self._supervisors[number] = Supervisor(number, manner, self._work, self._logs)

    def _receive(self, slot: Supervisor) -> list[Message]:
        message = slot.hear()
        match message:
            case Reported():
                self._share_card(slot.number)
            case Raised(state="OUT_OF_MEMORY") if self._was_crowded(slot):
                return [self._give_up(slot.number, "other slots had the rest of its card's memory")]
        return [message, *slot.settle(message)]

    def _share_card(self, number: int) -> None:
        more = self._gpus.more(number)[: self._most - self.slots]
        self.slots += len(more)
        for another in more:
            self._begin(another)

    def _was_crowded(self, slot: Supervisor) -> bool:
        job = slot.process.job
        return isinstance(job, TrialJob) and self._gpus.make_room(slot.number, self._supervisors, job.number)

    def _give_up(self, number: int, reason: str) -> Died:
        """Its trial starts again in another slot, which has more memory then."""
        self._supervisors.pop(number).end()
        self.slots -= 1
        return Died(number, f"{reason}, so its slot was given up", by_us=True)

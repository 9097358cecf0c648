"""Slots on this machine: processes that live from trial to trial."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import wait
from pathlib import Path

from sweeper import machine, process
from sweeper.errors import ConfigError, SweeperError
from sweeper.executor import Call, Died, Done, Message, Raised, Ready, Reported, TrialJob
from sweeper.process import Process

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
        """slots: None is one a GPU, else one a core, but never more than `most`. The rest: see executor/local.yaml.

        Raises: ConfigError for a number from 0 down.
        """
        _check(threads=threads, recycle_after=recycle_after, memory_limit=memory_limit)
        self._gpus, cores = machine.gpus(), machine.cores()
        self.slots = min(slots or len(self._gpus) or cores, most or cores)
        self._threads = threads or max(1, cores // self.slots)
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
        self._context = process.context(self._preload, self._gpus)
        self._begun = ThreadPoolExecutor(1).submit(self._begin_all)

    def submit(self, slot: int, job: TrialJob | Call) -> None:
        self._processes[slot].busy = True
        self._processes[slot].send(job)

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
        died = [self._bury(number) for number, p in list(self._processes.items()) if p.lost] + self._too_large()
        gone = {message.slot for message in died}  # an answer to what they reported would reach their successors
        return [message for message in messages if not (isinstance(message, Reported) and message.slot in gone)] + died

    def close(self) -> None:
        if self._begun:
            self._begun.exception()  # when all exist
        for p in self._processes.values():
            p.end()
        self._processes.clear()

    def _too_large(self) -> list[Died]:
        """Ends the slots that passed the memory limit, before the kernel chooses whom to end."""
        if self._memory_limit is None or time.monotonic() < self._weighed_at + _WEIGHING:
            return []
        self._weighed_at = time.monotonic()
        messages = []
        for number, p in list(self._processes.items()):
            if p.busy and p.size > self._memory_limit:
                reason = f"it took {p.size:.1f} GB of hydra.sweeper.executor.memory_limit={self._memory_limit:g}"
                self._replace(number)
                messages.append(Died(number, reason, "OUT_OF_MEMORY"))
        return messages

    def _begin_all(self) -> None:
        for number in range(self.slots):
            self._begin(number)

    def _begin(self, number: int) -> None:
        """Returns once the process exists: the first one waits for what it is forked from."""
        environment = self._environment(number)
        try:
            begun = process.begin(self._context, number, self._work, self._logs, environment, self._preload)
        except (EOFError, ConnectionError) as error:
            modules = ", ".join(self._preload)
            raise SweeperError(
                f"hydra.sweeper.executor.preload: the process that imports {modules} for all slots died ({error}). "
                "Try what one of them does when it is imported: python -c 'import …'"
            ) from error
        self._processes[number] = begun

    def _environment(self, number: int) -> dict[str, str]:
        """TensorFlow reads these when it is imported, so they are set before the interpreter starts."""
        threads = str(self._threads)
        wanted = {
            "TF_NUM_INTRAOP_THREADS": threads,
            "TF_NUM_INTEROP_THREADS": threads,
            "OMP_NUM_THREADS": threads,
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # else the first slot takes the whole card
            "TF_CPP_MIN_LOG_LEVEL": "2",
        }
        chosen = {key: os.environ.get(key, value) for key, value in wanted.items()}
        if self._gpus:
            chosen["CUDA_VISIBLE_DEVICES"] = self._gpus[number % len(self._gpus)]
        return chosen

    def _receive(self, number: int) -> list[Message]:
        p = self._processes[number]
        try:
            message = p.connection.recv()
        except (EOFError, OSError):
            return [self._bury(number)]
        match message:
            case Ready():
                p.ready, self._failed_starts = True, 0
            case Done() | Raised():
                p.trials += 1
                p.busy = False
                if self._worn_out(p) or (isinstance(message, Raised) and message.state == "OUT_OF_MEMORY"):
                    self._replace(number)
                    return [message]
                return [message, Ready(number)]
        return [message]

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

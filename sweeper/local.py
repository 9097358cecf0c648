"""Slots on this machine: spawned processes that live from trial to trial."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil

from sweeper import memory, slot
from sweeper.errors import ConfigError, SweeperError
from sweeper.executor import Call, Died, Done, Message, Raised, Ready, Reported, TrialJob
from sweeper.states import State

_BURIAL = 5  # seconds that a slot may take to end after its connection did
_WEIGHING = 0.5  # seconds between two looks at the memory of the slots
_WORN = 0.5  # share of the memory limit beyond which a slot is replaced between trials
_FAILED_STARTS = 3  # slots in a row that die before they are ready: the next one would too


@dataclass
class _Process:
    process: BaseProcess
    connection: Connection
    log: Path
    oom_kills: int  # of the machine, when it began
    ready: bool = False
    busy: bool = False
    trials: int = 0


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
        self._gpus, cores = _gpus(), len(os.sched_getaffinity(0))
        self.slots = min(slots or len(self._gpus) or cores, most or cores)
        self._threads = threads or max(1, cores // self.slots)
        self._recycle_after = recycle_after
        self._memory_limit = memory_limit
        self._preload = preload
        self._processes: dict[int, _Process] = {}
        self._failed_starts = 0
        self._weighed_at = 0.0  # on the monotonic clock

    def start(self, work: bytes, log_folder: str) -> None:
        self._work = work
        self._logs = Path(log_folder)
        self._logs.mkdir(parents=True, exist_ok=True)
        for number in range(self.slots):
            self._spawn(number)

    def submit(self, slot: int, job: TrialJob | Call) -> None:
        self._processes[slot].busy = True
        self._send(slot, job)

    def answer(self, slot: int, stop: bool) -> None:
        self._send(slot, stop)

    def kill(self, slot: int) -> None:
        self._replace(slot)

    def wait(self, timeout: float) -> list[Message]:
        by_connection = {p.connection: number for number, p in self._processes.items()}
        messages: list[Message] = []
        for connection in wait(list(by_connection), timeout):
            messages += self._receive(by_connection[connection])
        died = [self._bury(number) for number in self._lost()] + self._too_large()
        gone = {message.slot for message in died}  # an answer to what they reported would reach their successors
        return [message for message in messages if not (isinstance(message, Reported) and message.slot in gone)] + died

    def close(self) -> None:
        for p in self._processes.values():
            _end(p)
        self._processes.clear()

    def _lost(self) -> list[int]:
        """Slots that ended while a process that they had started still holds their connection open."""
        gone = [number for number, p in self._processes.items() if p.process.exitcode is not None]
        return [number for number in gone if not self._processes[number].connection.poll()]

    def _too_large(self) -> list[Died]:
        """Ends the slots that passed the memory limit, before the kernel chooses whom to end."""
        if self._memory_limit is None or time.monotonic() < self._weighed_at + _WEIGHING:
            return []
        self._weighed_at = time.monotonic()
        messages = []
        for number, p in list(self._processes.items()):
            size = memory.used(p.process.pid) / memory.GB
            if p.busy and size > self._memory_limit:
                reason = f"it took {size:.1f} GB of hydra.sweeper.executor.memory_limit={self._memory_limit:g}"
                self._replace(number)
                messages.append(Died(number, reason, "OUT_OF_MEMORY"))
        return messages

    def _spawn(self, number: int) -> None:
        ours, theirs = multiprocessing.Pipe()
        log = self._logs / f"slot-{number}.log"
        process = multiprocessing.get_context("spawn").Process(
            target=slot.main, args=(number, theirs, str(log), tuple(self._preload)), name=f"slot-{number}"
        )
        with _environment(self._environment(number)), _deaf_to_signals():
            process.start()
        theirs.close()
        self._processes[number] = _Process(process, ours, log, memory.oom_kills())
        self._send(number, self._work)

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

    def _send(self, number: int, message: object) -> None:
        connection = self._processes[number].connection
        try:
            connection.send_bytes(message) if isinstance(message, bytes) else connection.send(message)
        except OSError:  # the slot is dead: `wait` finds its connection closed and says so
            return

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

    def _worn_out(self, p: _Process) -> bool:
        if self._recycle_after and p.trials >= self._recycle_after:
            return True
        return self._memory_limit is not None and memory.used(p.process.pid) > _WORN * self._memory_limit * memory.GB

    def _bury(self, number: int) -> Died:
        p = self._processes[number]
        p.process.join(_BURIAL)
        _end(p)
        reason, state = _reason(p)
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
        _end(self._processes.pop(number))
        self._spawn(number)


def _check(**values: float | None) -> None:
    for key, value in values.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value <= 0):
            raise ConfigError(f"hydra.sweeper.executor.{key}={value}: give a number above 0, or null.")


def _end(p: _Process) -> None:
    """Kills a slot, if it still lives, with all that it has started."""
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(p.process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
    p.process.kill()
    p.process.join()
    p.connection.close()


def _reason(p: _Process) -> tuple[str, State]:
    """Why a slot ended, for the user."""
    code = p.process.exitcode
    if code == -signal.SIGKILL and memory.oom_kills() > p.oom_kills:
        return "killed by the kernel, which had no memory left", "OUT_OF_MEMORY"
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}", "KILLED"
    last = p.log.read_text(errors="replace").strip().splitlines()[-1:] if p.log.exists() else []
    return f"exit code {code}: {''.join(last)}", "KILLED"


def _gpus() -> list[str]:
    """The cards that this process may use, as CUDA_VISIBLE_DEVICES names them. Asks the driver, not TensorFlow."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name not in ("", "-1")]
    cards = Path("/proc/driver/nvidia/gpus")
    return [str(i) for i in range(len(list(cards.iterdir())))] if cards.is_dir() else []


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value


@contextmanager
def _deaf_to_signals() -> Iterator[None]:
    """Ctrl-C, and often SIGTERM, reaches a whole group of processes, but only the coordinator acts on it.

    A child inherits what is blocked; what came meanwhile reaches this process afterwards.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

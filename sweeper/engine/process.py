"""A process of a sweep, mostly a slot's: begun with surroundings of its own, ended with all that it has started."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext, ForkServerProcess
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil

from sweeper.engine import forkserver
from sweeper.engine.executor import Call, TrialJob
from sweeper.machine import inherited
from sweeper.records.states import State

_GB = 1e9  # bytes
_UNKNOWN = 255  # exit code of a fork, if the process that it was forked from died and can no longer tell
_BURIAL = 5  # seconds that a process may take to end after its connection did


@dataclass
class Process:
    inner: BaseProcess
    body: psutil.Process  # the same one to the system: never another one of its number
    connection: Connection
    log: Path
    oom_kills: int  # of the machine, when it began
    ready: bool = False
    job: TrialJob | Call | None = None  # what it does now
    busy_since: float = 0.0  # on the monotonic clock
    trials: int = 0

    @property
    def size(self) -> float:
        """GB that it holds; 0 of one that has ended."""
        try:
            return self.body.memory_info().rss / _GB
        except psutil.NoSuchProcess:
            return 0.0

    @property
    def lost(self) -> bool:
        """Whether it ended while a process that it had started still holds its connection open."""
        return self.inner.exitcode is not None and not self.connection.poll()

    def send(self, message: object) -> None:
        with suppress(OSError):  # it is dead: whoever waits finds its connection closed
            self.connection.send_bytes(message) if isinstance(message, bytes) else self.connection.send(message)

    def end(self) -> None:
        """Kills it, if it still lives, with all that it has started."""
        with suppress(psutil.NoSuchProcess):
            kill(self.body)
        self.inner.join()
        self.connection.close()

    def autopsy(self) -> tuple[str, State]:
        """Why it ended, for the user."""
        self.inner.join(_BURIAL)
        self.end()
        code = self.inner.exitcode
        if code == -signal.SIGKILL and _oom_kills() > self.oom_kills:
            return "killed by the kernel, which had no memory left", "OUT_OF_MEMORY"
        if code == _UNKNOWN and isinstance(self.inner, ForkServerProcess):
            return "lost, with the process that slots are forked from", "KILLED"
        if code is not None and code < 0:
            return f"killed by {signal.Signals(-code).name}", "KILLED"
        last = self.log.read_text(errors="replace").strip().splitlines()[-1:] if self.log.exists() else []
        return f"exit code {code}: {''.join(last)}", "KILLED"


def kill(body: psutil.Process) -> None:
    """With all that it has started. Raises: NoSuchProcess if it has ended."""
    for one in (*body.children(recursive=True), body):
        with suppress(psutil.NoSuchProcess):
            one.kill()


def context(preload: Sequence[str], gpus: Sequence[str]) -> BaseContext:
    """How processes begin: forked where something is to be imported once; anew where a GPU's driver might mind."""
    return forkserver.begin(preload) if preload and not gpus else multiprocessing.get_context("spawn")


def surroundings(threads: int, card: str | None) -> dict[str, str]:
    """Environment variables of a slot beside the user's own, for TensorFlow and BLAS. card: its only GPU."""
    wanted = {
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # else the first slot takes the whole card
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    if card is not None and "CUDA_VISIBLE_DEVICES" not in os.environ:
        wanted["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # as nvidia-smi counts them
    chosen = {key: os.environ.get(key, value) for key, value in wanted.items()}
    return chosen if card is None else chosen | {"CUDA_VISIBLE_DEVICES": card}


def begin(
    context: BaseContext,
    name: str,
    main: Callable[..., None],
    work: bytes,
    logs: Path,
    surroundings: Mapping[str, str],
    preload: Sequence[str],
) -> Process:
    """main: of the process, called with its connection and what `slot.begin` wants beside that.
    surroundings: there before anything is imported that nobody has imported for it.
    """
    ours, theirs = multiprocessing.Pipe()
    log = logs / f"{name}.log"
    arguments = (theirs, str(log), {**os.environ, **surroundings}, tuple(preload))
    inner = context.Process(target=main, args=arguments, name=name)
    anew = context.get_start_method() == "spawn"
    with inherited.environment(surroundings if anew else {}), inherited.deafness_to_signals():
        inner.start()
    theirs.close()
    begun = Process(inner, psutil.Process(inner.pid), ours, log, _oom_kills())
    begun.send(work)
    return begun


def _oom_kills() -> int:
    """How many processes the kernel has ended on this machine for want of memory; 0 where it does not tell."""
    try:
        counters = Path("/proc/vmstat").read_text().split()
    except OSError:
        return 0
    return int(counters[counters.index("oom_kill") + 1]) if "oom_kill" in counters else 0

"""A job of a cluster's queue: one trial in a slot's process, and its messages as letters on the shared file system.

The process that acts on Slurm's signals is not the one that trains. So a preempted job is requeued whatever TensorFlow
does, and a training that crashes, or takes all memory, is told of by who has seen it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sweeper.engine import process, slot
from sweeper.engine.executor import Died, Message, Ready, Reported, TrialJob
from sweeper.engine.process import Process
from sweeper.machine import hardware, inherited
from sweeper.slurm.heart import LOOK, Pulse
from sweeper.slurm.queue import TIME_IS_UP
from sweeper.slurm.session import Session

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

_SHORTEST, _LONGEST = 0.02, 0.5  # seconds between two looks for an answer: the longer it takes, the more


@dataclass(frozen=True)
class Job:
    """What submitit pickles and calls where the job runs; once more after a preemption."""

    session: Session
    key: str  # its own in the session
    slot: int
    trial: TrialJob
    logs: Path
    threads: int | None  # None: what the job may use
    memory_limit: float | None  # GB
    path: list[str]  # where the user's modules are found

    def __call__(self) -> None:
        from submitit.core.utils import UncompletedJobError

        sys.path[:] = [*self.path, *(place for place in sys.path if place not in self.path)]
        pulse = Pulse(self.session.heart)
        if not pulse.beats():
            return  # the sweep ended while it waited in the queue
        with inherited.deafness_to_signals(_preemption()):  # Slurm signals all processes of a job
            p = self._begin()
        try:
            self._relay(p, pulse)
        except UncompletedJobError:  # from submitit's handler of signals: it will not be requeued again
            self._post(Died(self.slot, TIME_IS_UP, "HUNG"))
        except FileNotFoundError:
            pass  # the session's folder: the sweep has ended
        finally:
            p.end()

    def checkpoint(self) -> DelayedSubmission:
        """Submitit asks for it when the job is preempted, or its time is up: the trial's own checkpoint is all."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)

    def _begin(self) -> Process:
        surroundings = process.surroundings(self.threads or _cores(), card=None)
        main, work = partial(slot.main, self.slot, {}), self.session.work.read_bytes()
        context = multiprocessing.get_context("fork")  # this process has no threads, and all but TensorFlow imported
        return process.begin(context, f"slot-{self.slot}", main, work, self.logs, surroundings, ())

    def _relay(self, p: Process, pulse: Pulse) -> None:
        """Until the trial has ended, or the sweep wants no more of it."""
        asked, pause, look_at = None, _LONGEST, 0.0
        while True:
            if p.connection.poll(pause) or p.lost:
                message = _received(p, self.slot)
                name = self._post(message)
                match message:
                    case Ready():
                        p.send(self.trial)
                    case Reported():
                        asked, pause = name, _SHORTEST
                    case _:
                        return
            if asked:
                answer = self.session.answer(self.key, asked)
                if answer is None:
                    pause = min(_LONGEST, 1.5 * pause)
                else:
                    p.send(answer)
                    asked, pause = None, _LONGEST
            if time.monotonic() >= look_at:
                look_at = time.monotonic() + LOOK
                if not pulse.beats() or self.session.is_unwanted(self.key):
                    return
            if self.memory_limit and p.size > self.memory_limit:
                limit = f"hydra.sweeper.executor.memory_limit={self.memory_limit:g}"
                self._post(Died(self.slot, f"it took {p.size:.1f} GB of {limit}", "OUT_OF_MEMORY"))
                return

    def _post(self, message: Message) -> str:
        """The letter's name."""
        return self.session.tell(self.key, message)


def _received(p: Process, number: int) -> Message:
    try:
        if not p.lost:
            return p.connection.recv()
    except (EOFError, OSError):
        pass
    reason, state = p.autopsy()
    return Died(number, reason, state)


def _cores() -> int:
    """Of this job. A cluster may bind it to them, or only tell how many they are."""
    told = os.environ.get("SLURM_CPUS_ON_NODE", "")
    return min(hardware.cores(), int(told)) if told.isdecimal() else hardware.cores()


def _preemption() -> signal.Signals:
    from submitit import JobEnvironment

    return signal.Signals[f"SIG{JobEnvironment.USR_SIG}"]

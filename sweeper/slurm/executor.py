"""Slots that are jobs of a cluster's queue: each trial is handed over as one, so the queue is full as long as any wait.

A job runs one trial and ends, as a cluster shares itself out by jobs. What follows the trials, such as the test of the
best network, does not queue for that: a process of the coordinator's machine does it.
"""

from __future__ import annotations

import logging
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sweeper.engine.desk import Desk
from sweeper.engine.executor import Call, Died, Message, Queued, Ready, Reported, TrialJob
from sweeper.engine.supervisor import Manner, Supervisor
from sweeper.errors import SweeperError
from sweeper.machine import hardware
from sweeper.slurm import session
from sweeper.slurm.heart import Heart
from sweeper.slurm.job import Job
from sweeper.slurm.queue import Queue, Refused
from sweeper.slurm.session import Session

_POLL = 0.1  # seconds between two looks for letters: one listing, however many jobs there are
_LOOKS = 2  # in a row that find a job ended before it is believed: its last letter may come late
_PAUSE = 30.0  # seconds until a queue that took no job is asked again
_BURIAL = 120.0  # seconds that jobs of an earlier session may take to end
_log = logging.getLogger(__name__)


@dataclass
class _Given:
    """To a slot."""

    trial: TrialJob
    key: str  # of its job
    id: str | None = None  # in the queue; None until that has taken it
    begun: bool = False
    ended: int = 0  # looks in a row that found it so
    epochs: int = 0  # that the coordinator has heard of
    letter: str = ""  # the name of the last report's
    stop: bool = False  # the last answer


class QueueExecutor:
    def __init__(
        self,
        queue: Queue,
        slots: int,
        name: str,
        threads: int | None = None,
        memory_limit: float | None = None,
        preload: Sequence[str] = (),
    ):
        """slots: jobs at a time, running or waiting. name: what its jobs are called.

        threads, memory_limit: see executor/local.yaml; of each job. preload: of the coordinator's machine.
        """
        self.slots = slots
        self._queue, self._name = queue, name
        self._threads, self._memory_limit = threads, memory_limit
        self._preload = preload
        self._desk = Desk(self._begun_desk)
        self._given: dict[int, _Given] = {}  # by slot
        self._outbox: deque[int] = deque()  # slots whose job the queue has not taken yet
        self._session: Session | None = None
        self._earlier: list[Session] = []
        self._said: list[Message] = []
        self._count = 0  # jobs begun
        self._taken = False  # whether the queue has ever taken one
        self._ask_at = self._look_at = 0.0  # on the monotonic clock; here and below

    def start(self, work: bytes, log_folder: str) -> None:
        """Ends the jobs of a session that was killed. Slots are Ready when none is left to write into its folders."""
        self._work, self._logs = work, Path(log_folder)
        self._earlier = session.earlier(self._logs)
        for one in self._earlier:
            one.heart.unlink(missing_ok=True)
            self._queue.cancel(one.ids)
        self._session = session.new(self._logs, work)
        self._heart = Heart(self._session.heart)
        self._patient_until = time.monotonic() + _BURIAL
        self._said = [Ready(slot) for slot in range(self.slots)]

    def submit(self, slot: int, job: TrialJob | Call) -> None:
        if isinstance(job, Call):
            self._desk.submit(slot, job)
            return
        self._count += 1
        self._given[slot] = _Given(job, f"{job.number}-{self._count}")
        self._outbox.append(slot)
        self._hand_over()

    def answer(self, slot: int, stop: bool) -> None:
        given = self._given[slot]
        given.stop = bool(stop)  # a study says it in NumPy's
        self._session.reply(given.key, given.letter, given.stop)

    def kill(self, slot: int) -> None:
        if not self._desk.withdraw(slot):
            self._give_up(slot)
        self._said.append(Ready(slot))

    def wait(self, timeout: float) -> list[Message]:
        until = time.monotonic() + timeout
        while not (said := self._heard()) and time.monotonic() < until:
            time.sleep(min(_POLL, max(0.0, until - time.monotonic())))
        return said + [Queued(slot) for slot, given in self._given.items() if not given.begun]

    def close(self) -> None:
        self._desk.close()
        if self._session is None:
            return
        self._heart.stop()
        ids = [given.id for given in self._given.values() if given.id]
        self._given.clear()
        self._queue.cancel(ids)
        if self._are_gone(ids):
            session.remove(self._session)  # else for a later session, which waits for their end
        self._session = None

    def _heard(self) -> list[Message]:
        if self._wait_for_earlier():
            return []
        self._hand_over()
        said, self._said = self._said, []
        said += self._letters()
        said += self._desk.hear()
        if time.monotonic() >= self._look_at:
            said += self._lost()
            self._look_at = time.monotonic() + self._queue.look
        return said

    def _begun_desk(self) -> Supervisor:
        manner = Manner(hardware.cores(), self._preload, hardware.gpus())
        return Supervisor(0, manner, self._work, self._logs, name="calls")

    def _wait_for_earlier(self) -> bool:
        """Whether jobs of an earlier session may still write into its trials' folders."""
        if self._earlier and time.monotonic() >= self._look_at:
            left = [one for one in self._earlier if not self._are_gone(one.ids)]
            for one in self._earlier:
                if one not in left:
                    session.remove(one)
            self._earlier = left
            self._look_at = time.monotonic() + 1
            if left and time.monotonic() > self._patient_until:
                ids = " ".join(job for one in left for job in one.ids)
                raise SweeperError(
                    f"{self._logs}: jobs of the session before have not ended, and would write where this one does. "
                    f"End them (scancel {ids}), and start this command again."
                )
        return bool(self._earlier)

    def _are_gone(self, jobs: list[str]) -> bool:
        standings = self._queue.standings(jobs) if jobs else {}
        return standings is not None and all(standing.phase == "ENDED" for standing in standings.values())

    def _hand_over(self) -> None:
        """Raises: Refused if the queue does not take the first job of all: it would take none."""
        while self._outbox and time.monotonic() >= self._ask_at:
            given = self._given[self._outbox[0]]
            self._session.begin(given.key)
            try:
                given.id = self._queue.submit(f"{self._name}-{given.trial.number}", self._job(self._outbox[0], given))
            except Refused as error:
                self._session.over(given.key)
                if not self._taken:
                    raise
                _log.warning("%s It is asked again every %.0f seconds.", error, _PAUSE)
                self._ask_at = time.monotonic() + _PAUSE
                return
            self._session.handed_over(given.key, given.id)
            self._taken = True
            self._outbox.popleft()

    def _job(self, slot: int, given: _Given) -> Job:
        limits = self._threads, self._memory_limit
        return Job(self._session, given.key, slot, given.trial, self._logs, *limits, path=list(sys.path))

    def _letters(self) -> Iterator[Message]:
        by_key = {given.key: slot for slot, given in self._given.items()}
        for name, key, message in self._session.told():
            slot = by_key.get(key)
            if slot not in self._given or self._given[slot].key != key:
                continue  # of a job that was given up
            given = self._given[slot]
            match message:
                case Ready():
                    given.begun = True
                case Reported(epoch=epoch):
                    given.letter = name
                    if epoch > given.epochs:
                        given.epochs = epoch
                        yield message
                    else:  # once more: the job was preempted, and goes on
                        self.answer(slot, given.stop)
                case _:
                    del self._given[slot]
                    self._session.over(key)
                    yield from (message, Ready(slot))

    def _lost(self) -> Iterator[Message]:
        """Asks the queue for jobs that have ended and not said so."""
        by_id = {given.id: slot for slot, given in self._given.items() if given.id}
        standings = (self._queue.standings(list(by_id)) if by_id else None) or {}
        for job, standing in standings.items():
            slot = by_id[job]
            given = self._given[slot]
            given.begun = given.begun and standing.phase != "WAITS"
            given.ended = given.ended + 1 if standing.phase == "ENDED" else 0
            if given.ended >= _LOOKS:
                self._give_up(slot)
                yield from (Died(slot, standing.reason, standing.state, standing.by_us), Ready(slot))

    def _give_up(self, slot: int) -> None:
        given = self._given.pop(slot)
        if given.id is None:
            self._outbox.remove(slot)
            return
        self._session.give_up(given.key)
        self._queue.cancel([given.id])

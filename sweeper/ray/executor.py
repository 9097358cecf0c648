"""Slots on the nodes of a Ray cluster. It grows and shrinks with the cluster; a node that is lost costs no trial."""

from __future__ import annotations

import logging
import math
import os
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sweeper.engine import supervisor
from sweeper.engine.desk import Desk
from sweeper.engine.executor import Call, Message, Ready, TrialJob
from sweeper.engine.supervisor import Manner, Supervisor
from sweeper.errors import SweeperError
from sweeper.machine import hardware
from sweeper.ray import shipped_code
from sweeper.ray.cluster import Cluster, Need
from sweeper.ray.seat import Seat
from sweeper.ray.shared_folder import Site
from sweeper.ray.shipped_data import DataSets

_LOOK = 2.0  # seconds between two looks at what the cluster holds
_IDLE = 20.0  # seconds without work after which a slot gives back what it holds
_SILENCE = 30.0  # seconds without any slot after which the user is told
_QUEUED = 0.5  # seconds between two words on a trial that waits for an actor
_BURIAL = 5.0  # seconds for all slots to end what they do
_MOMENT = 0.05  # seconds between two looks at what is not Ray's: a call that runs, a data set that is loaded

_log = logging.getLogger(__name__)


class RayExecutor:
    def __init__(
        self,
        slots: int | None = None,
        most: int | None = None,
        address: str | None = None,
        cpus: float = 1,
        gpus: float | None = None,
        memory: float | None = None,
        ship_code: bool | None = None,
        runtime_env: Mapping[str, Any] | None = None,
        share_files: bool | None = None,
        threads: int | None = None,
        recycle_after: int | None = 200,
        memory_limit: float | None = None,
        preload: Sequence[str] = (),
    ):
        """slots: None is as many as the cluster holds, as it grows and shrinks. At most `most`.

        The rest: see executor/ray.yaml.

        Raises: ConfigError for a number from 0 down, and as `Cluster`.
        """
        positive = {"threads": threads, "recycle_after": recycle_after, "memory_limit": memory_limit}
        supervisor.check(cpus=cpus, gpus=gpus or None, memory=memory, **positive)
        self._cluster = Cluster(address, Need(cpus, gpus, memory))
        self._ships = address is not None if ship_code is None else ship_code
        self._runtime_env = runtime_env or {}
        self._given, self._most = slots, most or slots or hardware.cores()
        self._manner = Manner(threads or max(1, int(cpus)), tuple(preload), (), None, recycle_after, memory_limit)
        self._shared = share_files
        self._seats: dict[int, Seat] = {}
        self._is_connected = False
        self._token: Path | None = None
        self._looked_at = 0.0  # on the monotonic clock
        self._queued_at = 0.0  # likewise
        self._told_at = 0.0  # likewise: when the user is told that there is no slot
        self._desk = Desk(self._begun_desk)
        self._data = DataSets()
        self._unsaid: list[Message] = []

    @property
    def slots(self) -> int | None:
        """None before the cluster has told how many it holds, if that decides."""
        return len(self._seats) or (self._given and min(self._given, self._most))

    def start(self, work: bytes, log_folder: str) -> None:
        self._work, self._logs = work, Path(log_folder)
        self._logs.mkdir(parents=True, exist_ok=True)
        self._data.start(work, self._logs)
        self._token = self._logs / f".{uuid.uuid4().hex}"
        self._token.touch()
        project = str(shipped_code.project())
        self._site = Site(str(self._logs.parent), os.getcwd(), project, str(self._token), self._shared)
        self._connect()

    def submit(self, slot: int, job: TrialJob | Call) -> None:
        """A call is run beside the coordinator: only there are the sweep's whole folder and MLflow's store for sure."""
        if isinstance(job, Call):
            self._seats[slot].leave()
            self._desk.submit(slot, job)
        else:
            self._seats[slot].submit(job)

    def answer(self, slot: int, stop: bool) -> None:
        self._seats[slot].answer(stop)

    def kill(self, slot: int) -> None:
        if self._desk.withdraw(slot):
            self._unsaid += self._seats[slot].back()
        else:
            self._unsaid += self._seats[slot].kill()

    def wait(self, timeout: float) -> list[Message]:
        said, self._unsaid = self._unsaid + self._looked() + self._queued(), []
        for seat in self._seats.values():
            seat.go_on()
        is_besides = self._desk.is_busy or any(seat.awaits_data for seat in self._seats.values())
        said += self._heard(0 if said else min(timeout, _MOMENT) if is_besides else timeout)
        for message in self._desk.hear():
            said += self._seats[message.slot].back() if isinstance(message, Ready) else [message]
        return said

    def close(self) -> None:
        self._desk.close()
        self._data.close()
        if self._is_connected:
            self._end_all()
            self._cluster.close()
        if self._token:
            self._token.unlink(missing_ok=True)
        self._is_connected = False

    def _end_all(self) -> None:
        import ray

        last = [word for seat in self._seats.values() if (word := seat.release()) is not None]
        if last:
            ray.wait(last, num_returns=len(last), timeout=_BURIAL)

    def _connect(self) -> None:
        with tempfile.TemporaryDirectory(prefix="sweeper-code-") as stage:
            shipped = shipped_code.runtime_env(Path(stage)) if self._ships else {}
            self._cluster.connect(self.slots, {**shipped, **self._runtime_env})
        self._is_connected = True
        self._told_at = time.monotonic() + _SILENCE
        import ray

        from sweeper.ray import slot

        options = {**self._cluster.need.options, "max_restarts": 0, "concurrency_groups": slot.THREADS}
        self._actors = ray.remote(**options)(slot.RaySlot)
        self._work_there = ray.put(self._work)  # a copy a node, for all slots on it
        self._looked()

    def _begun(self, number: int) -> Any:
        return self._actors.remote(number, self._manner, self._work_there, self._site)

    def _begun_desk(self) -> Supervisor:
        """With all of this machine: what is called comes after the trials."""
        manner = replace(self._manner, threads=hardware.cores(), gpus=hardware.gpus())
        return Supervisor(0, manner, self._work, self._logs, name="calls")

    def _looked(self) -> list[Message]:
        """At what the cluster holds now: asks for slots that are lacking, and gives up those that have no room."""
        now = time.monotonic()
        if now < self._looked_at + _LOOK:
            return []
        self._looked_at = now
        self._tell_if_none_begins(now)
        room = self._given or max(1, self._cluster.room())
        lacking = min(room, self._most) - len(self._seats)
        for _ in range(lacking):
            number = next(number for number in range(len(self._seats) + 1) if number not in self._seats)
            self._seats[number] = Seat(number, self._begun, self._data.of, self._site)
        said = self._given_up(max(0, -lacking))
        spare = any(seat.is_spare for seat in self._seats.values())
        for seat in self._seats.values():
            seat.ask_if_wanted(spare=spare)
            seat.release_if_idle(_IDLE)
        return said

    def _given_up(self, most: int) -> list[Message]:
        """Of those with nothing to lose, at most so many."""
        vacant = [number for number, seat in self._seats.items() if seat.is_vacant][:most]
        leaving = [self._seats.pop(number) for number in vacant]
        return [died for seat in leaving for died in seat.give_up("the cluster has shrunk", by_chance=True)]

    def _queued(self) -> list[Message]:
        if time.monotonic() < self._queued_at + _QUEUED:
            return []
        self._queued_at = time.monotonic()
        return [message for seat in self._seats.values() for message in seat.queued()]

    def _tell_if_none_begins(self, now: float) -> None:
        """A sweep may wait for a node, or for others to leave, but not without a word."""
        if any(seat.is_placed or seat.is_spare for seat in self._seats.values()):
            self._told_at = now + _SILENCE
        elif now > self._told_at:
            self._told_at = math.inf  # once is enough
            _log.warning(self._cluster.why_none_begins())

    def _heard(self, timeout: float) -> list[Message]:
        import ray

        by_reference = {seat.hearing: seat for seat in self._seats.values() if seat.hearing is not None}
        if not by_reference:  # all of them rest
            time.sleep(min(timeout, _MOMENT))
            return []
        ray.wait(list(by_reference), timeout=timeout)
        spoke, _ = ray.wait(list(by_reference), num_returns=len(by_reference), timeout=0)
        return [message for reference in spoke for message in self._received(by_reference[reference])]

    def _received(self, seat: Seat) -> list[Message]:
        import ray
        from ray import exceptions

        try:
            heard = ray.get(seat.hearing)
        except exceptions.RayTaskError as error:
            if isinstance(error.cause, OSError):
                place = f"node {seat.node[:8]} of the cluster" if seat.node else "the cluster"
                raise SweeperError(f"A slot on {place} cannot go on: {error.cause}") from error
            raise
        except (exceptions.RuntimeEnvSetupError, exceptions.ActorUnschedulableError) as error:
            raise SweeperError(f"hydra.sweeper.executor: a slot cannot begin on the cluster. {error}") from error
        except exceptions.RayError as error:
            reason, by_chance = self._cluster.why_lost(seat.node, error)
            return seat.lose(reason, by_chance=by_chance)
        return seat.take(heard)

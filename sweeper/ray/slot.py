"""A slot on a node of a Ray cluster: an actor that supervises the slot's process there, and passes on what is said.

Nothing of a trial runs in the actor itself. So a slot is begun, timed, weighed and buried as one of this machine is.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.connection import wait
from queue import SimpleQueue

import ray

from sweeper.engine.executor import Died, Done, Message, Raised, Reported
from sweeper.engine.local import WEIGHING
from sweeper.engine.supervisor import Manner, Supervisor
from sweeper.errors import SweeperError
from sweeper.machine import hardware
from sweeper.ray import shipped_data
from sweeper.ray.messages import Answered, Command, Ended, Heard, Killed, Submitted
from sweeper.ray.shared_folder import Scratch, Shared, Site

_HEARING, _TELLING = "hearing", "telling"
THREADS = {_HEARING: 1, _TELLING: 1}  # of the actor: one waits for its process, the other one for us


class RaySlot:
    def __init__(self, number: int, manner: Manner, work: bytes, site: Site):
        """Begins nothing yet: the first `hear` does, which can tell what is wrong. work: as of `Supervisor`."""
        sys.modules["__main__"].__file__ = None  # Ray's: else the slot's process would begin by running that, too
        self._number, self._manner, self._work, self._site = number, manner, work, site
        mine = ray.get_runtime_context()
        self._node = mine.get_node_id()
        if not mine.get_accelerator_ids().get("GPU"):
            os.environ["CUDA_VISIBLE_DEVICES"] = ""  # Ray leaves all cards to who has asked for none
        self._commands: SimpleQueue[tuple[int, Command]] = SimpleQueue()
        self._woken, self._wake = Pipe(duplex=False)
        self._ground: Shared | Scratch | None = None
        self._supervisor: Supervisor | None = None

    @ray.method(concurrency_group=_TELLING)
    def tell(self, life: int, command: Command) -> None:
        """life: of the process that is meant; if it is another one by now, it hears nothing."""
        self._commands.put((life, command))
        self._wake.send_bytes(b"1")

    @ray.method(concurrency_group=_HEARING)
    def hear(self) -> Heard:
        """Waits until there is something to say."""
        try:
            said = self._said()
        except SweeperError as error:
            return self._heard([], broken=self._site.as_there(str(error), self._ground))
        return self._heard(said)

    def _heard(self, said: list[tuple[int, Message]], broken: str | None = None) -> Heard:
        if self._ground is None:
            return Heard(self._node, said, broken=broken)
        moved = [(life, self._as_there(message)) for life, message in said]
        speaks = any(isinstance(message, Reported | Done | Raised | Died) for _, message in said)
        files = self._ground.changed() if speaks else {}
        return Heard(self._node, moved, files, self._ground.added_to_log(), self._ground.is_shared, broken)

    def _as_there(self, message: Message) -> Message:
        """With the places where the coordinator finds what the message names."""
        if not isinstance(message, Raised):
            return message
        return replace(message, told=self._site.as_there(message.told, self._ground))

    def _said(self) -> list[tuple[int, Message]]:
        slot = self._supervisor = self._supervisor or self._begun()
        said: list[tuple[int, Message]] = []
        while not said:
            life = slot.life
            heard = wait([slot.connection, self._woken], WEIGHING)
            if self._woken in heard:
                self._woken.recv_bytes()
                if not self._obey(*self._commands.get()):
                    break
            elif slot.connection in heard:
                message = slot.hear()
                said += [(life, message)] + [(slot.life, ready) for ready in slot.settle(message)]
            elif slot.process.lost:
                said.append((life, slot.bury()))
            elif died := slot.weigh():
                said.append((life, died))
        return said

    def _obey(self, life: int, command: Command) -> bool:
        """Whether the slot goes on."""
        slot = self._supervisor
        match command:
            case Ended():
                slot.end()
                self._ground.clear()
                return False
            case _ if life != slot.life:
                pass
            case Submitted():
                self._ground.lay_out(command.files)
                if command.data:
                    shipped_data.lay_out(command.data)
                slot.submit(command.job)
            case Answered():
                slot.answer(command.stop)
            case Killed():
                slot.replace()
        return True

    def _begun(self) -> Supervisor:
        self._ground = ground = self._site.find(self._number)
        if ground.cwd and os.path.isdir(ground.cwd):
            os.chdir(ground.cwd)
        manner = replace(self._manner, gpus=hardware.gpus())  # those that Ray has given to this actor
        return Supervisor(self._number, manner, self._work, ground.logs, moved=self._site.moved(ground))

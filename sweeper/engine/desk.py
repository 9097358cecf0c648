"""A process beside the coordinator that runs its calls, where slots are on machines that may lack what those need."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from sweeper.engine.executor import Call, Died, Done, Message, Raised, Ready
from sweeper.engine.supervisor import Supervisor


class Desk:
    """It answers in the name of the slots that were asked, one call after the other."""

    def __init__(self, begun: Callable[[], Supervisor]):
        """begun: brings the process up, when there is something to run."""
        self._begun = begun
        self._supervisor: Supervisor | None = None
        self._is_ready = False
        self._calls: deque[tuple[int, Call]] = deque()  # the first one is being run, once the process is ready

    @property
    def is_busy(self) -> bool:
        return bool(self._calls)

    def submit(self, slot: int, call: Call) -> None:
        self._calls.append((slot, call))
        if self._supervisor is None:
            self._supervisor = self._begun()
        elif self._is_ready and len(self._calls) == 1:
            self._supervisor.submit(call)

    def withdraw(self, slot: int) -> bool:
        """What that slot was asked, also in the middle of it. Whether there was anything."""
        asked = [asking for asking, _ in self._calls]
        if slot not in asked:
            return False
        if asked[0] == slot and self._is_ready:
            self._supervisor.replace()
            self._is_ready = False
        self._calls = deque(one for one in self._calls if one[0] != slot)
        return True

    def hear(self, timeout: float = 0) -> list[Message]:
        """What has come of it; a call that its process dies of is not made again here."""
        if self._supervisor is None or not (self._supervisor.connection.poll(timeout) or self._supervisor.process.lost):
            return []
        lost = self._supervisor.process.lost
        message = self._supervisor.bury() if lost else self._supervisor.hear()
        stays = bool(self._supervisor.settle(message))
        if isinstance(message, Ready):
            self._is_ready = True
            self._go_on()
            return []
        self._is_ready = stays
        if not self._calls:
            return []
        slot, _ = self._calls.popleft()
        if stays:
            self._go_on()
        return [replace(message, slot=slot), *([Ready(slot)] if isinstance(message, Done | Raised | Died) else [])]

    def close(self) -> None:
        if self._supervisor:
            self._supervisor.end()
            self._supervisor = None

    def _go_on(self) -> None:
        if self._calls:
            self._supervisor.submit(self._calls[0][1])

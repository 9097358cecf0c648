"""Signs of life between the coordinators of a study, given and watched for by a thread: asking and testing take long.

A coordinator counts as lost when it gave no sign for its patience. That time is counted here, while the database
answers: after an outage everybody is silent, and no two clocks need to agree.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sweeper import text
from sweeper.sharing.members import Member, Members
from sweeper.sharing.tables import HERE

_LONGEST = 2.0  # seconds between two signs
_OFTEN = 5  # signs, at least, within one's own patience

_log = logging.getLogger(__name__)


@dataclass
class _Silence:
    beat: int  # the last sign
    seconds: float = 0.0  # since then, as far as it was looked for


class Heartbeat:
    def __init__(self, members: Members, patience: float, look: Callable[[], None]):
        """patience: seconds, of this coordinator. look: called in the thread after each sign."""
        self._members, self._look = members, look
        self._pause = min(_LONGEST, patience / _OFTEN)
        self._silent: dict[int, _Silence] = {}
        self._looked_at: float | None = None  # on the monotonic clock; None: the database was away
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="heartbeat", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join(_LONGEST)  # it may be waiting for a database that is away

    def _work(self) -> None:
        while not self._ended.wait(self._pause):
            try:
                self._members.beat()
                self._listen(self._members.all())
                self._look()
            except Exception as error:  # whatever a database can raise; who asks and tells hears of it, too
                _log.debug("No sign could be given: %s", error)
                self._silent.clear()
                self._looked_at = None

    def _listen(self, members: Mapping[int, Member]) -> None:
        now = time.monotonic()
        # This process itself may have been stopped: what it did not look for is no silence.
        passed = 0.0 if self._looked_at is None else min(now - self._looked_at, 2 * self._pause)
        self._looked_at = now
        for number, member in members.items():
            if member.state != HERE or number == self._members.me:
                self._silent.pop(number, None)
                continue
            silence = self._silent.get(number)
            if silence is None or silence.beat != member.beat:
                self._silent[number] = _Silence(member.beat)
                continue
            silence.seconds += passed
            if silence.seconds > member.patience:
                self._lose(member)

    def _lose(self, member: Member) -> None:
        if self._members.lose(member):
            _log.warning(f"No sign of {member.name} for {text.duration(member.patience)}: its trials may be taken over")

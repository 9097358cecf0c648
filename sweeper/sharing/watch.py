"""What a coordinator knows of the others: a thread looks at them every two seconds, and gives them a sign of itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from sweeper.sharing.heartbeat import Heartbeat
from sweeper.sharing.members import Members
from sweeper.sharing.places import Places


class Watch:
    def __init__(self, members: Members, places: Places, patience: float, running: Callable[[], Collection[int]]):
        """patience: seconds, of this coordinator. running: the trials that it has, asked for in the thread, too."""
        self._members, self._places, self._running = members, places, running
        self._looking = threading.Lock()  # else what was seen first could be noted last
        self._losing: frozenset[int] = frozenset()  # trials that were seen with another coordinator
        self.census = places.census()
        self._heartbeat: Heartbeat | None = Heartbeat(members, patience, self.look)

    def look(self) -> None:
        with self._looking:
            held = self._places.of(self._running())
            self._losing = frozenset(trial for trial, place in held.items() if place.coordinator != self._members.me)
            self.census = self._places.census()

    def lost(self, trial: int) -> bool:
        """Whether another coordinator has this one, which is running here."""
        if trial not in self._losing:
            return False
        return self._places.of([trial])[trial].coordinator != self._members.me  # it may have come back meanwhile

    def taker(self, trial: int) -> str:
        """Who has it, for people."""
        member = self._members.all().get(self._places.of([trial])[trial].coordinator)
        return member.name if member else "somebody"

    def close(self) -> None:
        """Gives no more signs: others take over what is open once they miss them."""
        if self._heartbeat is not None:
            self._heartbeat.close()
            self._heartbeat = None

    def leave(self) -> None:
        """Closes; others may take over at once."""
        if self._heartbeat is None:
            return
        self.close()
        with suppress(SQLAlchemyError):  # it is away: they will miss the signs
            self._members.leave()

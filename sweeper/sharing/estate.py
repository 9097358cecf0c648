"""What earlier sessions of a sweep have left in a study: some of it nobody has taken over, of the rest is told why."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from sweeper.records.events import TrialEnded
from sweeper.records.record import Trial
from sweeper.records.states import OPEN
from sweeper.sharing import settled
from sweeper.sharing.members import Members
from sweeper.sharing.places import Place, Places


class Estate:
    def __init__(self, members: Members, places: Places, earlier: Sequence[Trial]):
        """Takes over what is left. The processes of those sessions are gone: this one holds their folder.

        earlier: the trials of the sweep, as its journal tells them.
        """
        self._places, self._sessions = places, members.earlier_sessions()
        for session in self._sessions:
            members.leave(session)
        # One that was taken over, or asked for and no more, is like any other that is free.
        begun = {trial.number for trial in earlier if trial.state != "TAKEN_OVER"}
        nobodys = [place for place in places.of(begun).values() if place.coordinator is None and not place.outcome]
        own = [place for place in places.open() if place.coordinator in self._sessions and place.trial in begun]
        taken = {place.trial for place in nobodys + own if places.take(place)}
        kept = [trial for trial in earlier if trial.number in taken]
        self.begun = [trial for trial in kept if trial.state in OPEN]
        self._ended = [trial for trial in kept if trial.state not in OPEN]
        self._away = [trial for trial in earlier if trial.state in OPEN and trial.number not in taken]

    def untold(self) -> list[TrialEnded]:
        """What has ended in the journal, and not at its place."""
        return [
            TrialEnded(trial.number, trial.state, trial.values, trial.reason, trial.facts, missed=trial.missed)
            for trial in self._ended
        ]

    def away(self, taker: Callable[[int], str]) -> list[TrialEnded]:
        """What became of those that the journal has as open. taker: who has a trial, for people."""
        places = self._places.of([trial.number for trial in self._away])
        return [self._what_became(places[trial.number], taker) for trial in self._away]

    def _what_became(self, place: Place, taker: Callable[[int], str]) -> TrialEnded:
        if place.outcome and place.coordinator in self._sessions:
            return settled.read(place.outcome)
        return TrialEnded(place.trial, "TAKEN_OVER", None, f"{taker(place.trial)} has taken it over", time=time.time())

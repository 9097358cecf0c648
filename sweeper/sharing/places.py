"""The places among `n_trials` of a study. Each belongs to one coordinator at a time; its trial is run by that one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from optuna.trial import TrialState
from sqlalchemy import Engine, Select, Text, and_, case, cast, func, or_, select, update

from sweeper.sharing import tables
from sweeper.sharing.tables import HERE, LOST, coordinators, places, trials

_OPEN = places.c.outcome.is_(None)
_GONE = coordinators.c.state != HERE  # whoever has the place
_UNTOLD = and_(places.c.outcome.is_not(None), cast(trials.c.state, Text) == TrialState.RUNNING.name)


@dataclass(frozen=True)
class Place:
    number: int
    trial: int | None  # its number; None until Optuna has made it
    coordinator: int | None  # who runs it; None: nobody whom we know
    losses: int = 0  # coordinators that were lost while they ran it
    outcome: str | None = None  # how it ended; None while it is open
    state: str | None = None  # of its coordinator
    is_new: bool = False  # nobody had it before


@dataclass(frozen=True)
class Census:
    """How many places there are."""

    claimed: int
    ended: int  # by others
    elsewhere: int  # that others run, or have settled and not told the study yet
    free: int  # whose coordinators are gone
    untold: int  # as `Places.untold` lists them

    def room(self, most: int) -> bool:
        """Whether one may be had."""
        return self.free > 0 or self.claimed < most


class Places:
    def __init__(self, engine: Engine, study: int, me: int):
        """study: Optuna's ID of it. me: number of this coordinator."""
        self._engine, self._study, self._me = engine, study, me
        self._is_mine, self._is_others = places.c.coordinator == me, places.c.coordinator != me

    def claim(self, most: int, trial: int | None = None) -> Place | None:
        """One that nobody had, if there are less than `most`; for this trial, if nobody has one for it."""
        while not (trial is not None and self.of([trial])):
            number = tables.next_number(self._engine, places, self._study)
            if number >= most:
                return None
            if self._add(number=number, trial=trial, coordinator=self._me):
                return Place(number, trial, self._me, state=HERE, is_new=True)
        return None

    def count_in(self, trial: int, outcome: str | None) -> None:
        """One that another program than ours has asked for. It has a place, too, and is nobody's to take over."""
        while not self.of([trial]):
            self._add(number=tables.next_number(self._engine, places, self._study), trial=trial, outcome=outcome)

    def open(self) -> list[Place]:
        """Those that this coordinator runs, and those that it may take over."""
        return self._listed(_OPEN, or_(self._is_mine, _GONE))

    def untold(self) -> list[Place]:
        """Those whose coordinator has settled how they ended, and was lost before it told the study."""
        return self._listed(_UNTOLD, self._is_others, _GONE)

    def of(self, trials: Collection[int]) -> dict[int, Place]:
        """By trial."""
        return {place.trial: place for place in self._listed(places.c.trial.in_(trials))}

    def trials(self) -> set[int]:
        """All that have a place."""
        return {place.trial for place in self._listed(places.c.trial.is_not(None))}

    def take(self, place: Place) -> bool:
        """Whether it is this coordinator's now, and no longer that of the one that it was seen with."""
        seen = (
            places.c.coordinator.is_(None) if place.coordinator is None else places.c.coordinator == place.coordinator
        )
        losses = place.losses + (place.state == LOST)
        return self._change(place.number, seen, _OPEN, coordinator=self._me, losses=losses)

    def holds(self, place: Place) -> bool:
        """Whether it is this coordinator's still."""
        return bool(self._listed(places.c.number == place.number, self._is_mine))

    def note(self, place: Place, trial: int) -> bool:
        """Which trial Optuna has made for it. Whether it is this coordinator's still."""
        return self._change(place.number, self._is_mine, trial=trial)

    def settle(self, trial: int, outcome: str) -> bool:
        """Whether it was this coordinator's to say how the trial ended. Nobody takes it over from now on."""
        place = self.of([trial])[trial]
        if place.coordinator == self._me and place.outcome is not None:
            return True  # the answer to the first attempt was lost
        return self._change(place.number, self._is_mine, _OPEN, outcome=outcome)

    def census(self) -> Census:
        sums = (
            and_(places.c.outcome.is_not(None), or_(self._is_others, places.c.coordinator.is_(None))),
            and_(self._is_others, or_(_OPEN, _UNTOLD), coordinators.c.state == HERE),
            and_(self._is_others, _OPEN, _GONE),
            and_(self._is_others, _UNTOLD, _GONE),
        )
        query = self._joined(func.count(), *(func.count(case((each, 1))) for each in sums))
        with self._engine.connect() as connection:
            return Census(*connection.execute(query).one())

    def _add(self, **row: object) -> bool:
        return tables.added(self._engine, places, study=self._study, losses=0, **row)

    def _change(self, number: int, *conditions: object, **values: object) -> bool:
        one = update(places).where(places.c.study == self._study, places.c.number == number)
        return tables.changed(self._engine, one.where(*conditions).values(**values))

    def _listed(self, *conditions: object) -> list[Place]:
        query = self._joined(*places.c[1:], coordinators.c.state).where(*conditions).order_by(places.c.number)
        with self._engine.connect() as connection:
            return [Place(*row) for row in connection.execute(query)]

    def _joined(self, *columns: object) -> Select:
        whose = and_(coordinators.c.study == places.c.study, coordinators.c.number == places.c.coordinator)
        which = and_(trials.c.study_id == places.c.study, trials.c.number == places.c.trial)
        joined = places.outerjoin(coordinators, whose).outerjoin(trials, which)
        return select(*columns).select_from(joined).where(places.c.study == self._study)

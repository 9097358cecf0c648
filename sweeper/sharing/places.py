"""The places among `n_trials` of a study. Each belongs to one coordinator at a time; its trial is run by that one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Engine, Select, and_, case, func, or_, select, update

from sweeper.sharing import tables
from sweeper.sharing.tables import HERE, LOST, coordinators, places


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
    elsewhere: int  # that others run
    free: int  # whose coordinators are gone

    def room(self, most: int) -> bool:
        """Whether one may be had."""
        return self.free > 0 or self.claimed < most


class Places:
    def __init__(self, engine: Engine, study: int, me: int):
        """study: Optuna's ID of it. me: number of this coordinator."""
        self._engine, self._study, self._me = engine, study, me
        self._is_mine = places.c.coordinator == me

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
        return self._listed(places.c.outcome.is_(None), or_(self._is_mine, coordinators.c.state != HERE))

    def settled(self, trials: Collection[int]) -> list[Place]:
        """Those of these trials that have an outcome, and a coordinator that is gone, or this one."""
        whose = or_(self._is_mine, coordinators.c.state != HERE)
        return self._listed(places.c.outcome.is_not(None), whose, places.c.trial.in_(trials))

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
        return self._change(place.number, seen, places.c.outcome.is_(None), coordinator=self._me, losses=losses)

    def note(self, place: Place, trial: int) -> bool:
        """Which trial Optuna has made for it. Whether it is this coordinator's still."""
        return self._change(place.number, self._is_mine, trial=trial)

    def settle(self, trial: int, outcome: str) -> bool:
        """Whether it was this coordinator's to say how the trial ended. Nobody takes it over from now on."""
        place = self.of([trial])[trial]
        if place.coordinator == self._me and place.outcome is not None:
            return True  # the answer to the first attempt was lost
        return self._change(place.number, self._is_mine, places.c.outcome.is_(None), outcome=outcome)

    def census(self) -> Census:
        elsewhere = and_(places.c.coordinator != self._me, places.c.outcome.is_(None))
        gone = coordinators.c.state != HERE
        sums = (
            and_(places.c.outcome.is_not(None), or_(places.c.coordinator != self._me, places.c.coordinator.is_(None))),
            and_(elsewhere, coordinators.c.state == HERE),
            and_(elsewhere, gone),
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
        return select(*columns).select_from(places.outerjoin(coordinators, whose)).where(places.c.study == self._study)

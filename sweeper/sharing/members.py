"""The coordinators of a study: which of them are here, and whose turn it is where only one may do a thing at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Engine, or_, select, update

from sweeper.sharing import tables
from sweeper.sharing.tables import HERE, LEFT, LOST, coordinators, turns

_PAUSE = 0.05  # seconds until a turn is asked for again


@dataclass(frozen=True)
class Member:
    number: int
    token: str  # of its sweep, the same in all its sessions, and of no other one
    folder: str  # of its sweep
    host: str
    patience: float  # seconds without a sign of it after which it counts as lost
    beat: int
    state: str

    @property
    def name(self) -> str:
        return f"sweep {Path(self.folder).name} on {self.host}"


class Members:
    def __init__(self, engine: Engine, study: int, token: str | None, folder: str, host: str, patience: float):
        """Joins them, also where the same sweep goes on: a session is a coordinator.

        study: Optuna's ID of it. token: of the sweep; None: it has none yet.
        """
        self._engine, self._study, self.token = engine, study, token or uuid4().hex
        row = {
            "study": study,
            "token": self.token,
            "folder": folder,
            "host": host,
            "patience": patience,
            "beat": 0,
            "state": HERE,
        }
        while True:
            self.me = tables.next_number(engine, coordinators, study)
            if tables.added(engine, coordinators, number=self.me, **row):
                break

    def all(self) -> dict[int, Member]:
        query = select(*coordinators.c[1:]).where(coordinators.c.study == self._study)
        with self._engine.connect() as connection:
            return {row.number: Member(*row) for row in connection.execute(query)}

    def earlier_sessions(self) -> set[int]:
        """The coordinators that this sweep was before."""
        return {number for number, member in self.all().items() if member.token == self.token and number != self.me}

    def beat(self) -> None:
        """A sign: this coordinator is here, whatever others thought."""
        self._change(self.me, beat=coordinators.c.beat + 1, state=HERE)

    def lose(self, member: Member) -> bool:
        """Whether it counts as lost from now on: it may have given a sign meanwhile."""
        return self._change(member.number, coordinators.c.beat == member.beat, coordinators.c.state == HERE, state=LOST)

    def leave(self, number: int | None = None) -> None:
        """What it runs is free. number: of an earlier session of this sweep, whose process is known to be gone."""
        self._change(self.me if number is None else number, state=LEFT)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Only one coordinator is within at a time. One that is gone has none."""
        tables.added(self._engine, turns, study=self._study)
        here = select(coordinators.c.number).where(coordinators.c.study == self._study, coordinators.c.state == HERE)
        is_free = or_(turns.c.coordinator.is_(None), turns.c.coordinator.not_in(here), turns.c.coordinator == self.me)
        whose = update(turns).where(turns.c.study == self._study)
        while not tables.changed(self._engine, whose.where(is_free).values(coordinator=self.me)):
            time.sleep(_PAUSE)
        try:
            yield
        finally:
            tables.changed(self._engine, whose.where(turns.c.coordinator == self.me).values(coordinator=None))

    def _change(self, number: int, *conditions: object, **values: object) -> bool:
        one = update(coordinators).where(coordinators.c.study == self._study, coordinators.c.number == number)
        return tables.changed(self._engine, one.where(*conditions).values(**values))

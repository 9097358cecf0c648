"""The members of a population and what is left of their lives: asked for trials like a Study, one segment each."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from sweeper.errors import DataError
from sweeper.evolution import exploit
from sweeper.evolution.life import Life
from sweeper.evolution.method import Past, drawn
from sweeper.evolution.told import LOST, Told
from sweeper.records import lineage
from sweeper.records.lineage import Place
from sweeper.records.record import Trial, inside
from sweeper.records.states import OPEN, State
from sweeper.search.source import Source
from sweeper.search.study import Proposal
from sweeper.training import checkpoint

AHEAD = 2  # segments


class Population(Source):
    """A member goes on as soon as half of them have ended the same segment, or else it would be compared with nobody;
    the one that is behind in its life first. Nobody is more than `AHEAD` segments ahead of the earliest: all of their
    states are kept for that one.

    All that it decides is in the params of its trials, so the journal is enough to go on from.
    """

    axes = ()  # it fills no map

    def __init__(
        self,
        life: Life,
        folder: Path,
        *,
        enqueued: Sequence[Mapping[str, Any]] = (),
        earlier: Sequence[Trial] = (),
    ):
        """folder: the sweep's. enqueued: hyperparameters of the first members; what one leaves open is drawn.
        earlier: the trials of the sessions before, when a sweep is resumed.

        Raises: DataError if one of those belongs to no population.
        """
        self._life, self._folder, self._enqueued = life, folder, enqueued
        self._told: dict[tuple[int, int], Told] = {}  # by member and segment
        self._running: dict[int, tuple[Place, dict[str, Any]]] = {}  # by trial, with its hyperparameters
        self._kept: set[tuple[int, int]] = set()  # whose states lie on the disk
        self._fresh = count(max((trial.number + 1 for trial in earlier), default=0))
        self.begun: list[Proposal] = []
        for trial in earlier:
            self._take_up(trial)
        self._tidy()

    @property
    def size(self) -> int:
        """Trials in all."""
        return self._life.trials

    @property
    def is_ready(self) -> bool:
        """Whether a member may go on."""
        return self._next() is not None

    def ask(self) -> Proposal:
        member, segment = self._next()
        rng = np.random.default_rng([self._life.seed, member, segment])
        place, values = self._first(member, rng) if segment == 1 else self._following(member, segment, rng)
        proposal = self._begin(next(self._fresh), place, values)
        self._tidy()
        return proposal

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Nothing is pruned: who is behind goes on from a better state."""
        return False

    def tell(
        self, number: int, state: State, values: Sequence[float] | None, facts: Mapping[str, Any] | None = None
    ) -> None:
        """One that may go on stays as it is."""
        if state in OPEN:
            return
        place, chosen = self._running.pop(number)
        told = Told(place, chosen, self._score(state, facts or {}))
        self._told[place.member, place.segment] = told
        if told.is_lost:
            _delete(self._folder, place.member, place.segment)  # its process may have died after it had left one
        elif place.segment < self._life.segments:
            self._kept.add((place.member, place.segment))
        self._tidy()

    def _take_up(self, trial: Trial) -> None:
        place = lineage.of(trial.params)
        if place is None:
            raise DataError(f"Trial {trial.number} in {self._folder} belongs to no population: it tells no member.")
        proposal = self._begin(trial.number, place, lineage.hyperparameters(trial.params))
        if trial.state in OPEN:
            self.begun.append(proposal)
        else:
            self.tell(trial.number, trial.state, trial.values, trial.facts)

    def _begin(self, number: int, place: Place, values: dict[str, Any]) -> Proposal:
        self._running[number] = place, values
        params = values | place.params
        return Proposal(number, params, self._life.overrides(params))

    def _score(self, state: State, facts: Mapping[str, Any]) -> float:
        score = facts.get(lineage.SCORE)
        if state != "FINISHED" or not isinstance(score, int | float) or math.isnan(score):
            return LOST
        return score if self._life.rises else -score

    def _first(self, member: int, rng: np.random.Generator) -> tuple[Place, dict[str, Any]]:
        given = self._enqueued[member] if member < len(self._enqueued) else {}
        return Place(member, 1), drawn(self._life.dimensions, rng) | given

    def _following(self, member: int, segment: int, rng: np.random.Generator) -> tuple[Place, dict[str, Any]]:
        own, method = self._told[member, segment - 1], self._life.method
        parent = exploit.parent(own, self._peers(segment - 1), method.quantile, rng)
        place = Place(member, segment, parent.place.member)
        if parent is own:
            return place, drawn(self._life.dimensions, rng) | own.values  # a resumed sweep's space may have grown
        past = Past(list(self._told.values()), list(self._running.values()))
        return place, method.explore(parent, self._life.dimensions, past, rng)

    def _next(self) -> tuple[int, int] | None:
        """Member and segment that may begin, those first that are earliest in their lives."""
        begun = self._begun()
        busy = {place.member for place, _ in self._running.values()}
        members = sorted(set(begun) - busy, key=lambda member: (begun[member], member))
        near = [member for member in members if begun[member] < min(begun.values()) + AHEAD]
        return next(((member, begun[member] + 1) for member in near if self._may_go_on(begun[member])), None)

    def _may_go_on(self, segment: int) -> bool:
        """After that segment. One that lost its state needs another's, and waits for the first there is."""
        if segment in (0, self._life.segments):
            return segment == 0
        peers = self._peers(segment)
        return len(peers) >= self._life.method.quorum and any(not told.is_lost for told in peers)

    def _begun(self) -> dict[int, int]:
        """The last segment that each member has begun; 0: none."""
        begun = dict.fromkeys(range(self._life.method.members), 0)
        for place in (*(told.place for told in self._told.values()), *(place for place, _ in self._running.values())):
            begun[place.member] = max(begun[place.member], place.segment)
        return begun

    def _peers(self, segment: int) -> list[Told]:
        """All that have ended that segment so far."""
        return [told for told in self._told.values() if told.place.segment == segment]

    def _tidy(self) -> None:
        """Deletes the states that nobody may go on from any more."""
        needed = {place.before for place, _ in self._running.values()}
        earliest = min(self._begun().values())
        for member, segment in self._kept - needed:
            if segment < earliest:
                _delete(self._folder, member, segment)
                self._kept.remove((member, segment))
        if len(self._told) == self.size:
            with suppress(OSError):  # what is in it, is somebody else's
                (self._folder / lineage.FOLDER).rmdir()


def _delete(sweep: Path, member: int, segment: int) -> None:
    """Raises: DataError if a link leads elsewhere."""
    folder = lineage.state(sweep, member, segment)
    inside(os.path.relpath(folder.resolve(), sweep.resolve()), f"The folder {folder}")
    checkpoint.delete(folder)
    with suppress(OSError):  # what else is in it, is somebody else's
        folder.rmdir()

"""Trained networks are large and most are never asked for: only those of the best trials stay on disk."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sweeper.records import pareto
from sweeper.records.events import Event, TrialEnded, TrialStarted
from sweeper.records.record import DUPLICATE_OF, MODEL, Trial, inside, losses
from sweeper.records.states import OPEN
from sweeper.sail import descriptor
from sweeper.sail.descriptor import Descriptor
from sweeper.training import checkpoint


@dataclass(frozen=True)
class _Known:
    trial: int
    point: pareto.Point
    cell: int = -1  # of the map; -1: of none
    kept: bool = True  # its network


class Keeper:
    """Listens to a sweep and deletes the network of every trial that is not among the best `keep`.

    With several objectives those are the Pareto front; where it has more than `keep`, its ends and then those whose
    neighbours are far. Of a map, the elites stay, too. Checkpoints are deleted, but of trials that may go on.
    """

    def __init__(
        self,
        folder: Path,
        directions: tuple[str, ...],
        keep: int,
        before: Iterable[Trial] = (),
        axes: Sequence[Descriptor] = (),
    ):
        """before: the trials of the sessions before, when a sweep is resumed. axes: of the map that a sweep fills."""
        self._folder, self._directions, self._keep, self._axes = folder, directions, keep, tuple(axes)
        self._folders = {trial.number: trial.folder for trial in before}
        trained = [trial for trial in before if trial.state == "FINISHED" and trial.duplicate_of is None]
        known = [
            _Known(trial.number, self._point(trial.values, trial.missed), self._cell(trial.facts), trial.model.exists())
            for trial in trained
        ]
        self._known = [one for rank, one in _ranked(known) if one.kept or rank == 1]  # of the front, and what is kept

    def write(self, event: Event) -> None:
        match event:
            case TrialStarted():
                what = f"The folder of trial {event.trial}"
                self._folders[event.trial] = self._folder / inside(event.folder, what)
            case TrialEnded():
                if event.state not in OPEN:
                    checkpoint.delete(self._own(event.trial))
                self._end(event)

    def _own(self, trial: int) -> Path:
        """The trial's folder. Raises: DataError if a link leads elsewhere: files are deleted there."""
        folder = self._folders[trial]
        inside(os.path.relpath(folder.resolve(), self._folder.resolve()), f"The folder of trial {trial}")
        return folder

    def _end(self, event: TrialEnded) -> None:
        if event.state != "FINISHED" or DUPLICATE_OF in event.facts:
            self._delete_network(event.trial)
            return
        ended = _Known(event.trial, self._point(event.values, event.missed), self._cell(event.facts))
        ranked = _ranked([*self._known, ended])
        kept = [known for _, known in ranked if known.kept]
        elites = {known.cell: known for known in reversed(kept) if known.cell >= 0}
        stays = {known.trial for known in (*kept[: self._keep], *elites.values())}
        for known in kept:
            if known.trial not in stays:
                self._delete_network(known.trial)
        self._known = [
            replace(known, kept=known.trial in stays) for rank, known in ranked if known.trial in stays or rank == 1
        ]

    def _delete_network(self, trial: int) -> None:
        (self._own(trial) / MODEL).unlink(missing_ok=True)

    def _cell(self, facts: Mapping[str, Any]) -> int:
        if not self._axes:
            return -1
        places = [axis.scaled(descriptor.number(facts.get(axis.name))) for axis in self._axes]
        return int(descriptor.cells(self._axes, np.array([places]))[0])

    def _point(self, values: Sequence[float], missed: Mapping[str, float]) -> pareto.Point:
        return pareto.Point(losses(values, self._directions), sum(missed.values()))


def _ranked(known: list[_Known]) -> list[tuple[int, _Known]]:
    """With their ranks, those first that are to be kept before the others."""
    known = sorted(known, key=lambda one: one.trial)  # of equal points the earlier trial is the end of a front
    ranks = pareto.ranks([one.point for one in known])
    fronts: dict[int, list[_Known]] = {}
    for rank, one in zip(ranks, known, strict=True):
        fronts.setdefault(rank, []).append(one)
    room: dict[int, float] = {}
    for front in fronts.values():
        distances = pareto.crowding([one.point.losses for one in front])
        room.update((one.trial, distance) for one, distance in zip(front, distances, strict=True))

    def order(ranked: tuple[int, _Known]) -> tuple:
        rank, one = ranked
        return rank, -room[one.trial], one.point.losses, one.trial

    return sorted(zip(ranks, known, strict=True), key=order)

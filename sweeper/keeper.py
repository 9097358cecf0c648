"""Trained networks are large and most are never asked for: only those of the best trials stay on disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sweeper import checkpoint, pareto
from sweeper.events import Event, TrialEnded, TrialStarted
from sweeper.record import DUPLICATE_OF, MODEL, inside, losses


@dataclass(frozen=True)
class _Known:
    trial: int
    point: pareto.Point
    kept: bool = True  # its network


class Keeper:
    """Listens to a sweep and deletes the network of every trial that is not among the best `keep`.

    With several objectives those are the Pareto front; where it has more than `keep`, its ends and then those whose
    neighbours are far. Checkpoints are deleted too, but of trials that may go on.
    """

    def __init__(self, folder: Path, directions: tuple[str, ...], keep: int):
        self._folder, self._directions, self._keep = folder, directions, keep
        self._folders: dict[int, Path] = {}
        self._known: list[_Known] = []  # of the front, and those that are kept

    def write(self, event: Event) -> None:
        match event:
            case TrialStarted():
                self._folders[event.trial] = self._own(event)
            case TrialEnded():
                if event.state not in ("CRASHED", "INTERRUPTED"):
                    checkpoint.delete(self._folders[event.trial])
                self._end(event)

    def _own(self, event: TrialStarted) -> Path:
        """The trial's folder. Raises: DataError if it lies elsewhere, also by a link: files are deleted there."""
        what = f"The folder of trial {event.trial}"
        folder = self._folder / inside(event.folder, what)
        inside(os.path.relpath(folder.resolve(), self._folder.resolve()), what)
        return folder

    def _end(self, event: TrialEnded) -> None:
        if event.state != "FINISHED" or DUPLICATE_OF in event.facts:
            self._delete_network(event.trial)
            return
        point = pareto.Point(losses(event.values, self._directions), sum(event.missed.values()))
        ranked = _ranked([*self._known, _Known(event.trial, point)])
        kept = [known.trial for _, known in ranked if known.kept]
        for trial in kept[self._keep :]:
            self._delete_network(trial)
        stays = set(kept[: self._keep])
        self._known = [
            _Known(known.trial, known.point, known.trial in stays)
            for rank, known in ranked
            if known.trial in stays or rank == 1
        ]

    def _delete_network(self, trial: int) -> None:
        (self._folders[trial] / MODEL).unlink(missing_ok=True)


def _ranked(known: list[_Known]) -> list[tuple[int, _Known]]:
    """With their ranks, those first that are to be kept before the others."""
    known = sorted(known, key=lambda one: one.trial)  # of equal points the earlier trial is the end of a front
    ranks = pareto.ranks([one.point for one in known])
    room = {}
    for rank in set(ranks):
        members = [one for one, of in zip(known, ranks, strict=True) if of == rank]
        distances = pareto.crowding([one.point.losses for one in members])
        room |= {one.trial: distance for one, distance in zip(members, distances, strict=True)}

    def order(ranked: tuple[int, _Known]) -> tuple:
        rank, one = ranked
        return rank, -room[one.trial], one.point.losses, one.trial

    return sorted(zip(ranks, known, strict=True), key=order)

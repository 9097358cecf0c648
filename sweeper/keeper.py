"""Trained networks are large and most are never asked for: only those of the best trials stay on disk."""

from __future__ import annotations

import os
from pathlib import Path

from sweeper import checkpoint
from sweeper.events import Event, TrialEnded, TrialStarted
from sweeper.record import MODEL, inside


class Keeper:
    """Listens to a sweep and deletes the network of every trial that is not among the best `keep`.

    With several objectives the first one decides. Checkpoints are deleted too, but of trials that may go on.
    """

    def __init__(self, folder: Path, direction: str, keep: int):
        self._folder, self._keep = folder, keep
        self._sign = -1 if direction == "maximize" else 1
        self._folders: dict[int, Path] = {}
        self._best: list[tuple[float, int]] = []  # (signed value, trial), best first

    def write(self, event: Event) -> None:
        match event:
            case TrialStarted():
                self._folders[event.trial] = self._own(event)
            case TrialEnded():
                if event.state not in ("CRASHED", "INTERRUPTED"):
                    checkpoint.delete(self._folders[event.trial])
                self._rank(event)

    def _own(self, event: TrialStarted) -> Path:
        """The trial's folder. Raises: DataError if it lies elsewhere, also by a link: files are deleted there."""
        what = f"The folder of trial {event.trial}"
        folder = self._folder / inside(event.folder, what)
        inside(os.path.relpath(folder.resolve(), self._folder.resolve()), what)
        return folder

    def _rank(self, event: TrialEnded) -> None:
        if event.state != "FINISHED":
            self._delete_network(event.trial)
            return
        self._best = sorted([*self._best, (self._sign * event.values[0], event.trial)])
        for _, trial in self._best[self._keep :]:
            self._delete_network(trial)
        self._best = self._best[: self._keep]

    def _delete_network(self, trial: int) -> None:
        (self._folders[trial] / MODEL).unlink(missing_ok=True)

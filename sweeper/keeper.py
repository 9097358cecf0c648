"""Trained networks are large and most are never asked for: only those of the best trials stay on disk."""

from __future__ import annotations

from pathlib import Path

from sweeper.events import Event, TrialEnded, TrialStarted
from sweeper.record import MODEL


class Keeper:
    """Listens to a sweep and deletes the network of every trial that is not among the best `keep`.

    With several objectives the first one decides.
    """

    def __init__(self, folder: Path, direction: str, keep: int):
        self._folder, self._keep = folder, keep
        self._sign = -1 if direction == "maximize" else 1
        self._files: dict[int, Path] = {}
        self._best: list[tuple[float, int]] = []  # (signed value, trial), best first

    def write(self, event: Event) -> None:
        match event:
            case TrialStarted():
                self._files[event.trial] = self._folder / event.folder / MODEL
            case TrialEnded(state="FINISHED"):
                self._best = sorted([*self._best, (self._sign * event.values[0], event.trial)])
                for _, trial in self._best[self._keep :]:
                    self._files[trial].unlink(missing_ok=True)
                self._best = self._best[: self._keep]
            case TrialEnded():
                self._files[event.trial].unlink(missing_ok=True)

"""The map: a cell for each combination of bins, and in it the best that is known, its elite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sweeper.sail import descriptor
from sweeper.sail.descriptor import Descriptor


@dataclass(frozen=True)
class Archive:
    """Immutable: `added` gives another one. Cells are numbered as numpy ravels `shape`."""

    shape: tuple[int, ...]
    scores: np.ndarray  # (cells,) of the elites, higher is better; -inf where a cell is empty
    holders: np.ndarray  # (cells,) which of those that were added is the elite; -1 where empty

    @staticmethod
    def empty(descriptors: Sequence[Descriptor]) -> Archive:
        shape = descriptor.shape(descriptors)
        count = int(np.prod(shape))
        return Archive(shape, np.full(count, -np.inf), np.full(count, -1))

    def added(self, scores: np.ndarray, cells: np.ndarray, holders: np.ndarray) -> Archive:
        """With the best of n candidates in each cell that was worse. scores, cells, holders: (n,); cell -1 is none."""
        places = np.flatnonzero((cells >= 0) & (scores > self.scores[cells]))
        places = places[np.argsort(scores[places], kind="stable")]  # the best of a cell is written last
        best, held = self.scores.copy(), self.holders.copy()
        best[cells[places]], held[cells[places]] = scores[places], holders[places]
        return Archive(self.shape, best, held)

    @property
    def filled(self) -> np.ndarray:
        """Numbers of the cells that have an elite, ascending."""
        return np.flatnonzero(self.holders >= 0)

    @property
    def coverage(self) -> float:
        """Share of the cells that have an elite."""
        return len(self.filled) / len(self.scores)

    def qd_score(self, floor: float) -> float:
        """Sum over the cells of what their elites are above `floor` (Pugh et al. 2016, Quality diversity)."""
        return float(np.maximum(self.scores[self.filled] - floor, 0).sum())

    def nested(self) -> Archive:
        """The best over all cells that are inside of a cell's budgets: "at most so many parameters, so many ms"."""
        scores, holders = self.scores.reshape(self.shape).copy(), self.holders.reshape(self.shape).copy()
        for axis in range(len(self.shape)):
            for place in range(1, self.shape[axis]):
                here, below = ([slice(None)] * len(self.shape) for _ in range(2))
                here[axis], below[axis] = place, place - 1
                here, below = tuple(here), tuple(below)
                better = scores[below] > scores[here]
                scores[here] = np.where(better, scores[below], scores[here])
                holders[here] = np.where(better, holders[below], holders[here])
        return Archive(self.shape, scores.reshape(-1), holders.reshape(-1))

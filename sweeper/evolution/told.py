"""What a population knows of a segment that has ended."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from sweeper.records.lineage import Place

LOST = -math.inf  # the score of a segment that failed


@dataclass(frozen=True)
class Told:
    place: Place
    values: dict[str, Any]  # its hyperparameters, by override key
    score: float  # of its last epoch, turned so that more is better

    @property
    def is_lost(self) -> bool:
        """It left no state to go on from."""
        return self.score == LOST

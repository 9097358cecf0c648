"""How good a map was after each evaluation of a search, by the best map that is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from problems import Problem


@dataclass(frozen=True)
class Reference:
    scores: np.ndarray  # (cells,) 0 at the lowest value that there can be, 1 at the highest; NaN where none is reached
    floor: float
    ceiling: float

    @staticmethod
    def of(problem: Problem) -> Reference:
        known = problem.reference()
        scores = np.where(known.holders >= 0, known.scores, np.nan)
        return Reference((scores - problem.floor) / (problem.ceiling - problem.floor), problem.floor, problem.ceiling)


@dataclass(frozen=True)
class Course:
    """Each is (n,), after so many evaluations."""

    quality: np.ndarray  # QD-score, as a share of the reference's
    coverage: np.ndarray  # as a share of the cells that the reference fills
    best: np.ndarray  # 0..1
    seconds: np.ndarray  # of the evaluation's own

    def evaluations_to(self, quality: float) -> float:
        """Infinite if it never came so far."""
        reached = np.flatnonzero(self.quality >= quality)
        return float(reached[0] + 1) if len(reached) else math.inf


def course(
    values: Sequence[float], cells: Sequence[int], reference: Reference, seconds: Sequence[float] = ()
) -> Course:
    """values, cells: of each evaluation; cell -1 is beyond the map."""
    scores = (np.array(values) - reference.floor) / (reference.ceiling - reference.floor)
    elites = np.full(len(reference.scores), np.nan)
    reached = np.isfinite(reference.scores)
    quality, coverage = [], []
    for score, cell in zip(scores, cells, strict=True):
        if cell >= 0:
            elites[cell] = np.fmax(elites[cell], score)
        quality.append(np.nansum(elites) / np.nansum(reference.scores))
        coverage.append(np.isfinite(elites[reached]).mean())
    return Course(np.array(quality), np.array(coverage), np.maximum.accumulate(scores), np.array(seconds))

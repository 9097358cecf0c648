"""How far means of a few trainings can be trusted, and whether two candidates differ by more than chance.

It is the chance of the seeds that is judged (weights, shuffling, split, dropout), not which test images there are: all
candidates meet the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

LEVEL = 0.95  # of all intervals
ALPHA = 1 - LEVEL  # a p below it counts as significant
_SAME = 1e-9  # relative difference of numbers that only rounding keeps apart


@dataclass(frozen=True)
class Estimate:
    mean: float
    low: float  # the ends of the interval that holds the true mean with LEVEL
    high: float
    count: int  # values

    @property
    def margin(self) -> float:
        """From the mean to either end."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Comparison:
    difference: Estimate  # of pairs with the same seed: the first less the second
    p: float | None  # two-sided; 1 where all pairs are level, None where all differ alike, which no test can judge


def estimate(values: Sequence[float]) -> Estimate:
    """Student's interval of the mean. values: at least two."""
    from scipy import stats  # takes 0.3 s, which only a confirmation is to wait for

    mean, count = fmean(values), len(values)
    margin = float(stats.t.ppf((1 + LEVEL) / 2, count - 1)) * stdev(values) / math.sqrt(count)
    return Estimate(mean, mean - margin, mean + margin, count)


def compare(first: Sequence[float], second: Sequence[float]) -> Comparison:
    """A paired t-test. first, second: values by the same seeds, at least two."""
    from scipy import stats

    differences = [a - b for a, b in zip(first, second, strict=True)]
    scale = max(map(abs, (*first, *second)))
    if max(map(abs, differences)) <= _SAME * scale:
        return Comparison(estimate([0.0] * len(differences)), 1.0)
    alike = max(differences) - min(differences) <= _SAME * scale
    return Comparison(estimate(differences), None if alike else float(stats.ttest_rel(first, second).pvalue))


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """The p of several tests, each as large as it has to be for all of them to be wrong together in ALPHA of the cases.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    known = sorted((p, place) for place, p in enumerate(ps) if p is not None)
    corrected: list[float | None] = [None] * len(ps)
    largest = 0.0
    for rank, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        corrected[place] = largest
    return corrected

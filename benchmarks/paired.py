"""Comparisons of what was measured in turns: pair by pair, for what slows the machine for a while slows both."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median


def ratio(ones: Sequence[float], others: Sequence[float]) -> float:
    """Median of one / other."""
    return median(one / other for one, other in zip(ones, others, strict=True))

"""Which points are best where several objectives count: non-dominated sorting and crowding, as in NSGA-II.

Source: Deb et al. 2002, A fast and elitist multiobjective genetic algorithm.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

Losses = tuple[float, ...]  # one an objective, less is better in each


@dataclass(frozen=True)
class Point:
    losses: Losses
    shortfall: float = 0.0  # by how much it misses constraints; 0: it meets them all


def ranks(points: Sequence[Point]) -> list[int]:
    """Of each point, from 1 for the Pareto front, 2 for the front without the first one, and so on.

    A point that misses constraints comes after all that meet them, one that misses less before one that misses more.
    """
    fronts = _fronts({point.losses for point in points if not point.shortfall})
    last = max(fronts.values(), default=0)
    shortfalls = sorted({point.shortfall for point in points if point.shortfall})
    behind = {shortfall: rank for rank, shortfall in enumerate(shortfalls, start=last + 1)}
    return [behind[point.shortfall] if point.shortfall else fronts[point.losses] for point in points]


def crowding(front: Sequence[Losses]) -> list[float]:
    """Of each point, how far apart its two neighbours are along the front: infinite at the ends.

    Each objective counts as a share of the front's extent in it.
    """
    distances = [0.0] * len(front)
    for axis in range(len(front[0]) if front else 0):
        order = sorted(range(len(front)), key=lambda place: front[place][axis])
        extent = front[order[-1]][axis] - front[order[0]][axis]
        if extent == 0 or not math.isfinite(extent):
            continue
        distances[order[0]] = distances[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:], strict=False):
            distances[here] += (front[after][axis] - front[before][axis]) / extent
    return distances


def _fronts(points: set[Losses]) -> dict[Losses, int]:
    """The rank of each point. In their order none is dominated by a later one, and one that a front dominates is
    dominated by all fronts before it too: so its place is found by halving (Zhang et al. 2015)."""
    fronts: list[list[Losses]] = []
    rank = {}
    ordered = sorted(points)
    if ordered and len(ordered[0]) == 1:
        return {point: place for place, point in enumerate(ordered, start=1)}
    for point in ordered:
        place = bisect_left(fronts, True, key=lambda front: not any(_dominates(other, point) for other in front))
        if place == len(fronts):
            fronts.append([])
        fronts[place].append(point)
        rank[point] = place + 1
    return rank


def _dominates(one: Losses, other: Losses) -> bool:
    """Of two different points."""
    return all(a <= b for a, b in zip(one, other, strict=True))

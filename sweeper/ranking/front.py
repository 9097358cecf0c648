"""The trials of several objectives as a picture, those that no other beats in all of them in front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from sweeper import drawing
from sweeper.drawing import BLUE, GRAY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAIRS = 3  # of objectives beside each other


@dataclass(frozen=True)
class Outcome:
    trial: int
    values: tuple[float, ...]  # one an objective
    front: bool  # no other trial beats it in every objective
    feasible: bool = True


def draw(outcomes: Sequence[Outcome], names: Sequence[str], directions: Sequence[str]) -> Figure:
    """Each pair of objectives against each other, the Pareto front in blue with the numbers of its trials.

    With two objectives the line is the border of what the front beats. What is not finite has no place.
    """
    pairs = list(combinations(range(len(names)), 2))
    columns = min(len(pairs), PAIRS)
    figure = drawing.blank(6.5 if columns == 1 else 4.6 * columns, 4.4 * math.ceil(len(pairs) / columns))
    axes = figure.subplots(math.ceil(len(pairs) / columns), columns, squeeze=False).ravel()
    placed = [one for one in outcomes if np.isfinite(one.values).all()]
    for axis in axes[len(pairs) :]:
        axis.axis("off")
    for axis, (first, second) in zip(axes, pairs, strict=False):
        _scatter(axis, placed, second, first)
        if len(pairs) == 1:
            _join(axis, [one.values for one in placed if one.front], directions)
        axis.set_xlabel(f"{names[second]} ({directions[second]})")
        axis.set_ylabel(f"{names[first]} ({directions[first]})")
        axis.set_xscale(_scale([one.values[second] for one in placed]))
        axis.set_yscale(_scale([one.values[first] for one in placed]))
    if placed:
        figure.axes[0].legend(frameon=False, fontsize=8)
    return drawing.unframed(figure)


def _scatter(axis: Axes, outcomes: Sequence[Outcome], x: int, y: int) -> None:
    """x, y: the objectives on the axes."""
    kinds = (
        ("misses a constraint", "x", GRAY, lambda one: not one.feasible),
        ("other trials", "o", GRAY, lambda one: one.feasible and not one.front),
        ("Pareto front", "o", BLUE, lambda one: one.front),
    )
    for label, marker, colour, belongs in kinds:
        points = [(one.values[x], one.values[y]) for one in outcomes if belongs(one)]
        if points:
            axis.scatter(*zip(*points, strict=True), s=28, marker=marker, color=colour, label=label, zorder=2)
    for one in outcomes:
        colour, size, offset = (BLUE, 9, (-3, 5)) if one.front else (GRAY, 7, (3, -9))  # apart where they crowd
        place = (one.values[x], one.values[y])
        axis.annotate(one.trial, place, offset, textcoords="offset points", fontsize=size, color=colour)


def _scale(values: Sequence[float]) -> str:
    return "log" if drawing.are_wide(values) else "linear"


def _join(axis: Axes, front: Sequence[tuple[float, ...]], directions: Sequence[str]) -> None:
    """The second objective to the right, the first upwards. A step turns where something just as good would be new."""
    if front:
        ys, xs = zip(*sorted(front, key=lambda values: values[1]), strict=True)
        axis.step(xs, ys, where="post" if directions[1] == "minimize" else "pre", color=BLUE, linewidth=1, zorder=1)

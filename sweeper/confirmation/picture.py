"""A confirmation as a picture: how far the seeds of each candidate are apart, beside what the search saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweeper import drawing
from sweeper.confirmation.verdict import Verdict
from sweeper.drawing import BLUE, GRAY, RED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BESIDE = 0.18  # of a line, that the dots of its seeds are below their mean


def draw(found: Verdict) -> Figure:
    """A line a candidate, best on top: its seeds, their mean with its interval, and what the search saw."""
    rows = found.ranked
    figure = drawing.blank(7.5, 1.5 + 0.5 * len(rows))
    axis = figure.subplots()
    places = range(len(rows))
    seeds = [(value, place + BESIDE) for place, row in zip(places, rows, strict=True) for value in row.judged.values()]
    axis.scatter(*zip(*seeds, strict=True), s=22, color=GRAY, alpha=0.7, label="a seed")
    means, margins = [row.estimate.mean for row in rows], [row.estimate.margin for row in rows]
    axis.errorbar(means, places, xerr=margins, fmt="o", color=BLUE, capsize=4, label="mean, 95 % interval")
    searched, label = [row.searched for row in rows], f"{found.objective} in the search"
    axis.scatter(searched, places, s=45, marker="D", facecolors="none", edgecolors=RED, label=label)
    fresh = [(row.validated.mean, place) for place, row in zip(places, rows, strict=True) if row.validated]
    if fresh and found.tested:  # else the seeds are shown by it already
        label = f"{found.objective} with fresh seeds, mean"
        axis.scatter(*zip(*fresh, strict=True), s=70, marker="|", color=RED, label=label)
    axis.set_yticks(places, [f"trial {row.trial.number}" for row in rows])
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_xlabel(found.metric)
    axis.grid(axis="x", color=GRAY, alpha=0.25)
    axis.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return drawing.unframed(figure)

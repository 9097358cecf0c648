"""The map of a sweep as a picture: what was trained, and what is expected, side by side on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sweeper import drawing
from sweeper.ranking import plane, units
from sweeper.ranking.atlas import Atlas
from sweeper.sail.descriptor import Descriptor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(atlas: Atlas, metric: str) -> Figure:
    """Of the first two descriptors; of more, the best along the others. Of one, a bar a cell."""
    panels = [("trained", atlas.archive.scores)]
    if atlas.expected:
        panels.append(("expected of the best untrained", atlas.expected.values))
    figure = drawing.blank(1.5 + 5.0 * len(panels), 4.6)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    rising = atlas.sweep.started.directions[0] == "maximize"
    low, high = plane.limits([values for _, values in panels], rising)
    for axis, (title, values) in zip(axes, panels, strict=True):
        shown = plane.seen(values, plane.cells(values, atlas.archive.shape, rising))
        colours = "viridis" if rising else "viridis_r"
        mesh = axis.pcolormesh(*plane.edges(atlas.descriptors), shown.T, cmap=colours, vmin=low, vmax=high)
        _label(axis, atlas.descriptors, title)
    figure.colorbar(mesh, ax=list(axes), label=metric, shrink=0.9)
    if len(atlas.descriptors) <= 2 and max(atlas.archive.shape) <= plane.WRITTEN:
        _number(axes[0], atlas, rising)
    return figure


def _label(axis: Axes, descriptors: Sequence[Descriptor], title: str) -> None:
    axis.set_title(title, fontsize=10)
    for described, way in zip(descriptors, "xy", strict=False):
        scale, label = "log" if described.log else "linear", units.titled(described.name)
        axis.set(**{f"{way}scale": scale, f"{way}label": label})
    if len(descriptors) == 1:
        axis.set_yticks([])


def _number(axis: Axes, atlas: Atlas, rising: bool) -> None:
    """Each elite's trial, in the middle of its cell."""
    edges = plane.edges(atlas.descriptors)
    for cell, trial in atlas.elites:
        places = (*np.unravel_index(cell, atlas.archive.shape), 0)
        x, y = (_middle(edges[way], places[way], atlas.descriptors, way) for way in range(2))
        shade = axis.collections[0].norm(trial.values[0])
        colour = "black" if (shade > 0.6) == rising else "white"
        axis.text(x, y, str(trial.number), ha="center", va="center", fontsize=7, color=colour)


def _middle(edges: np.ndarray, place: int, descriptors: Sequence[Descriptor], way: int) -> float:
    low, high = edges[place], edges[place + 1]
    is_log = way < len(descriptors) and descriptors[way].log
    return float(np.sqrt(low * high)) if is_log else float((low + high) / 2)

"""The map of a sweep as a picture: what was trained, and what is expected, side by side on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sweeper.ranking.atlas import Atlas
from sweeper.sail.descriptor import Descriptor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNITS = {"mflops": "millions an image"}  # of names that do not end in theirs
_WRITTEN = 12  # bins along an axis up to which a cell has room for the number of its trial


def draw(atlas: Atlas, metric: str) -> Figure:
    """Of the first two descriptors; of more, the best along the others. Of one, a bar a cell."""
    from matplotlib.figure import Figure

    panels = [("trained", atlas.archive.scores)]
    if atlas.expected:
        panels.append(("expected of the best untrained", atlas.expected.values))
    figure = Figure((1.5 + 5.0 * len(panels), 4.6), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    flat = np.concatenate([values for _, values in panels])
    low, high = np.nanpercentile(flat, 5), np.nanmax(flat)  # one bad cell shall not take all the colours
    rising = atlas.sweep.started.directions[0] == "maximize"
    low, high = (low, high) if rising else (np.nanmin(flat), np.nanpercentile(flat, 95))
    for axis, (title, values) in zip(axes, panels, strict=True):
        plane = _plane(values.reshape(atlas.archive.shape), rising)
        mesh = axis.pcolormesh(
            *_edges(atlas.descriptors), plane.T, cmap="viridis" if rising else "viridis_r", vmin=low, vmax=high
        )
        _label(axis, atlas.descriptors, title)
    figure.colorbar(mesh, ax=list(axes), label=metric, shrink=0.9)
    if len(atlas.descriptors) <= 2 and max(atlas.archive.shape) <= _WRITTEN:
        _number(axes[0], atlas, rising)
    return figure


def _plane(values: np.ndarray, rising: bool) -> np.ndarray:
    """(bins, bins): of further axes the best."""
    best = np.fmax if rising else np.fmin
    while values.ndim > 2:
        values = best.reduce(values, axis=-1)
    return values[:, None] if values.ndim == 1 else values


def _edges(descriptors: Sequence[Descriptor]) -> tuple[np.ndarray, np.ndarray]:
    return descriptors[0].edges(), descriptors[1].edges() if len(descriptors) > 1 else np.array([0.0, 1.0])


def _label(axis: Axes, descriptors: Sequence[Descriptor], title: str) -> None:
    axis.set_title(title, fontsize=10)
    for described, way in zip(descriptors, "xy", strict=False):
        unit = UNITS.get(described.name)
        label = f"{described.name} ({unit})" if unit else described.name
        axis.set(**{f"{way}scale": "log" if described.log else "linear", f"{way}label": label})
    if len(descriptors) == 1:
        axis.set_yticks([])


def _number(axis: Axes, atlas: Atlas, rising: bool) -> None:
    """Each elite's trial, in the middle of its cell."""
    edges = _edges(atlas.descriptors)
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

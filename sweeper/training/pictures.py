"""What people would rather look at: images, predictions, confusions and learning curves as matplotlib figures.

Figures are made without pyplot, which keeps each one in a global list.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sweeper.records.events import Metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

DPI = 110
BLUE, RED, GRAY = "#2563a8", "#c8372d", "#8a8a8a"
ANNOTATED = 20  # classes up to which a confusion matrix has room for numbers
GRID = (5, 8)  # rows and columns of predictions
PAIRS = 3  # of objectives beside each other
BESIDE = 0.18  # of a line, that the dots of its seeds are below their mean
WIDE = 30  # largest value to smallest, from which on an axis is logarithmic


@dataclass(frozen=True)
class Outcome:
    trial: int
    values: tuple[float, ...]  # one an objective
    front: bool  # no other trial beats it in every objective
    feasible: bool = True


@dataclass(frozen=True)
class Confirmed:
    """A candidate of a confirmation."""

    name: str
    values: Sequence[float]  # one a seed
    mean: float
    margin: float  # of the mean, to either side
    searched: float  # what the search saw
    validated: float | None  # the mean of the same with fresh seeds, if `values` are of something else


def save(figure: Figure, path: Path) -> None:
    """PNG, or what the ending of `path` says."""
    figure.savefig(path, dpi=DPI)


def grid(rows: Sequence[np.ndarray], names: Sequence[str], columns: Sequence[str] = ()) -> Figure:
    """Images row by row.

    rows: each (images, height, width, channels) in 0..255; names: of the rows; columns: titles of the first ones.
    """
    most = max(len(row) for row in rows)
    figure = _figure(0.9 * most + 1.2, 0.9 * len(rows) + 0.2)
    axes = figure.subplots(len(rows), most, squeeze=False)
    for line, images, name in zip(axes, rows, names, strict=True):
        for axis in line:
            axis.axis("off")
        for axis, image in zip(line, images, strict=False):
            _show(axis, image)
        line[0].text(-0.1, 0.5, name, transform=line[0].transAxes, ha="right", va="center", fontsize=10)
    for axis, column in zip(axes[0], columns, strict=False):
        axis.set_title(column, fontsize=9, color=GRAY)
    return figure


def predictions(images: np.ndarray, right: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> Figure:
    """Images evenly spread over the split, the wrong ones framed in red.

    images: (N, height, width, channels); right: (N,) class numbers; probabilities: (N, classes).
    """
    rows, columns = GRID
    chosen = np.unique(np.linspace(0, len(images) - 1, rows * columns).astype(int))
    figure = _figure(1.35 * columns, 1.5 * rows)
    axes = figure.subplots(rows, columns).ravel()
    for axis in axes:
        axis.axis("off")
    for axis, row in zip(axes, chosen, strict=False):
        _show(axis, images[row])
        told = probabilities[row].argmax()
        answer = f"{classes[told]} {probabilities[row, told]:.2f}"
        if told == right[row]:
            axis.set_title(answer, fontsize=8)
        else:
            axis.set_title(f"{answer}\nis {classes[right[row]]}", fontsize=8, color=RED)
            axis.add_patch(_frame(*images.shape[1:3]))
    return figure


def confusion(counts: np.ndarray, classes: Sequence[str]) -> Figure:
    """counts: (classes, classes), rows by the right class, columns by the one that was told."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(2.6 + 0.5 * len(classes), 14)
    figure = _figure(side + 0.6, side)
    axis = figure.subplots()
    image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    _name_ticks(axis, classes)
    axis.set_xlabel("told")
    axis.set_ylabel("right")
    axis.set_title(f"{np.trace(counts) / max(counts.sum(), 1):.2%} of {counts.sum():,} test images right", fontsize=11)
    if len(classes) <= ANNOTATED:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[row, column] > 0.5 else "black"
                axis.text(column, row, count, ha="center", va="center", fontsize=8, color=colour)
    figure.colorbar(image, ax=axis, label="share of the right class", shrink=0.8)
    return figure


def class_accuracy(counts: np.ndarray, classes: Sequence[str]) -> Figure:
    """A bar a class, best on top, and the mean over all images. counts: as for `confusion`."""
    totals = counts.sum(axis=1)
    shares = np.diag(counts) / np.maximum(totals, 1)
    order = np.argsort(shares, kind="stable")
    figure = _figure(6.5, 1.2 + 0.3 * len(classes))
    axis = figure.subplots()
    axis.barh(range(len(order)), shares[order], color=BLUE)
    axis.set_yticks(range(len(order)), [f"{classes[row]} ({totals[row]:,})" for row in order])
    for place, share in enumerate(shares[order]):
        axis.text(share + 0.01, place, f"{share:.1%}", va="center", fontsize=8)
    overall = np.trace(counts) / max(counts.sum(), 1)
    axis.axvline(overall, color=RED, linewidth=1, label=f"all {overall:.1%}")
    axis.set_xlim(0, 1.12)
    axis.set_xlabel("test accuracy (images)")
    axis.legend(loc="lower right", frameon=False, bbox_to_anchor=(1, 1))
    return _without_frame(figure)


def curves(curve: Sequence[tuple[int, float, Metrics]], metric: str, best_epoch: int) -> Figure:
    """Loss, accuracy and learning rate by epoch. curve: (epoch from 1, value, metrics) each; metric: chose the best."""
    epochs = [epoch for epoch, _, _ in curve]
    figure = _figure(11, 3.3)
    panels = {
        "loss": ("loss", "val_loss"),
        "accuracy": ("accuracy", "val_accuracy"),
        "learning rate": ("learning_rate",),
    }
    for axis, (title, names) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        for name, colour in zip(names, (GRAY, BLUE), strict=False):
            label = "validation" if name.startswith("val_") else "training"
            axis.plot(epochs, [metrics.get(name, np.nan) for _, _, metrics in curve], ".-", color=colour, label=label)
        axis.axvline(best_epoch, color=RED, linewidth=1, linestyle=":", label=f"best {metric}: epoch {best_epoch}")
        axis.set_title(title, fontsize=11)
        axis.set_xlabel("epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
    figure.axes[0].legend(frameon=False, fontsize=8)
    return _without_frame(figure)


def pareto(outcomes: Sequence[Outcome], names: Sequence[str], directions: Sequence[str]) -> Figure:
    """Each pair of objectives against each other, the Pareto front in blue with the numbers of its trials.

    With two objectives the line is the border of what the front beats. What is not finite has no place.
    """
    pairs = list(combinations(range(len(names)), 2))
    columns = min(len(pairs), PAIRS)
    figure = _figure(6.5 if columns == 1 else 4.6 * columns, 4.4 * math.ceil(len(pairs) / columns))
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
    return _without_frame(figure)


def confirmation(rows: Sequence[Confirmed], metric: str, objective: str) -> Figure:
    """A line a candidate, best on top: its seeds, their mean with its interval, and what the search saw.

    metric: of the values; objective: of what the search saw.
    """
    figure = _figure(7.5, 1.5 + 0.5 * len(rows))
    axis = figure.subplots()
    places = range(len(rows))
    seeds = [(value, place + BESIDE) for place, row in zip(places, rows, strict=True) for value in row.values]
    axis.scatter(*zip(*seeds, strict=True), s=22, color=GRAY, alpha=0.7, label="a seed")
    means, margins = [row.mean for row in rows], [row.margin for row in rows]
    axis.errorbar(means, places, xerr=margins, fmt="o", color=BLUE, capsize=4, label="mean, 95 % interval")
    searched = [row.searched for row in rows]
    label = f"{objective} in the search"
    axis.scatter(searched, places, s=45, marker="D", facecolors="none", edgecolors=RED, label=label)
    fresh = [(row.validated, place) for place, row in zip(places, rows, strict=True) if row.validated is not None]
    if fresh:
        label = f"{objective} with fresh seeds, mean"
        axis.scatter(*zip(*fresh, strict=True), s=70, marker="|", color=RED, label=label)
    axis.set_yticks(places, [row.name for row in rows])
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_xlabel(metric)
    axis.grid(axis="x", color=GRAY, alpha=0.25)
    axis.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return _without_frame(figure)


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
    """A cost spread over orders of magnitude would crowd at one end of a linear axis."""
    return "log" if values and min(values) > 0 and max(values) > WIDE * min(values) else "linear"


def _join(axis: Axes, front: Sequence[tuple[float, ...]], directions: Sequence[str]) -> None:
    """The second objective to the right, the first upwards. A step turns where something just as good would be new."""
    if front:
        ys, xs = zip(*sorted(front, key=lambda values: values[1]), strict=True)
        axis.step(xs, ys, where="post" if directions[1] == "minimize" else "pre", color=BLUE, linewidth=1, zorder=1)


def _figure(width: float, height: float) -> Figure:
    """width, height: inches."""
    from matplotlib.figure import Figure

    return Figure((width, height), layout="constrained")


def _frame(height: int, width: int) -> Rectangle:
    """About an image of so many pixels."""
    from matplotlib.patches import Rectangle

    return Rectangle((-0.5, -0.5), width, height, fill=False, edgecolor=RED, linewidth=3, clip_on=False)


def _show(axis: Axes, image: np.ndarray) -> None:
    """An image of one channel in gray, of others by its first three; small ones with their pixels."""
    shown = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    shown = shown[..., 0] if image.shape[-1] < 3 else shown[..., :3]
    axis.imshow(shown, cmap="gray", vmin=0, vmax=255, interpolation="nearest")


def _name_ticks(axis: Axes, classes: Sequence[str]) -> None:
    """The names that have room: all of up to 50 classes, then every tenth."""
    step = 1 if len(classes) <= 50 else 10
    places = range(0, len(classes), step)
    names = [classes[place] for place in places]
    axis.set_xticks(places, names, rotation=90 if max(map(len, names)) > 2 else 0)
    axis.set_yticks(places, names)


def _without_frame(figure: Figure) -> Figure:
    for axis in figure.axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure

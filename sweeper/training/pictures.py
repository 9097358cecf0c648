"""What a network sees and does as pictures: images, predictions, confusions and learning curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sweeper import drawing
from sweeper.drawing import BLUE, GRAY, RED
from sweeper.records.events import Metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

ANNOTATED = 20  # classes up to which a confusion matrix has room for numbers
GRID = (5, 8)  # rows and columns of predictions


def grid(rows: Sequence[np.ndarray], names: Sequence[str], columns: Sequence[str] = ()) -> Figure:
    """Images row by row.

    rows: each (images, height, width, channels) in 0..255; names: of the rows; columns: titles of the first ones.
    """
    most = max(len(row) for row in rows)
    figure = drawing.blank(0.9 * most + 1.2, 0.9 * len(rows) + 0.2)
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
    figure = drawing.blank(1.35 * columns, 1.5 * rows)
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
    figure = drawing.blank(side + 0.6, side)
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
    figure = drawing.blank(6.5, 1.2 + 0.3 * len(classes))
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
    return drawing.unframed(figure)


def curves(curve: Sequence[tuple[int, float, Metrics]], metric: str, best_epoch: int) -> Figure:
    """Loss, accuracy and learning rate by epoch. curve: (epoch from 1, value, metrics) each; metric: chose the best."""
    epochs = [epoch for epoch, _, _ in curve]
    figure = drawing.blank(11, 3.3)
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
    return drawing.unframed(figure)


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

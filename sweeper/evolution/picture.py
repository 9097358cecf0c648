"""The schedule that a population found as a picture: the line of the best network before the lives of all members."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sweeper import drawing, text
from sweeper.drawing import BLUE, GRAY, RED
from sweeper.evolution.found import Found, Steps

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 8.0, 2.2  # inches, of one hyperparameter


def draw(found: Found) -> Figure:
    """A hyperparameter a panel, by epochs."""
    figure = drawing.blank(WIDTH, HEIGHT * len(found.keys) + 0.4)
    panels = figure.subplots(len(found.keys), sharex=True, squeeze=False)[:, 0]
    for axis, key, name in zip(panels, found.keys, text.names(found.keys), strict=True):
        wide, shown = is_wide(found, key), partial(_shown, is_category=found.is_category(key))
        for life in found.members:
            steps = found.steps(life, key)
            axis.plot(steps.epochs, shown(steps), color=GRAY, alpha=0.4, linewidth=1)
        copies = found.copies(key)
        axis.scatter(copies.epochs, shown(copies), s=14, color=RED, alpha=0.6, label="copied another member")
        best = found.steps(found.best, key)
        axis.plot(best.epochs, shown(best), color=BLUE, linewidth=2.5, label="to the best network")
        axis.set_ylabel(name)
        axis.set_yscale("log" if wide else "linear")
    panels[-1].set_xlabel("epoch")
    panels[-1].xaxis.get_major_locator().set_params(integer=True)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, frameon=False)
    return drawing.unframed(figure)


def is_wide(found: Found, key: str) -> bool:
    """Its values spread over orders of magnitude."""
    values = [trial.params[key] for trial in found.all if key in trial.params]
    return not found.is_category(key) and drawing.are_wide(values)


def _shown(steps: Steps, *, is_category: bool) -> list:
    return steps.words if is_category else steps.values

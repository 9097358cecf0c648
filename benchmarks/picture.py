"""Pictures for the README, of one look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

OURS, OTHERS = "#4c78a8", "#bab0ac"  # colours


def panels(width: float, height: float, count: int = 1) -> tuple[Any, list[Any]]:
    """A figure of so many inches, and its axes from left to right."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, count, figsize=(width, height), layout="constrained", squeeze=False)
    for each in axes.flat:
        each.spines[["top", "right"]].set_visible(False)
    return figure, list(axes.flat)


def bars(
    values: Mapping[str, float], label: str, text: str, colours: str | Sequence[str] = OURS, log: bool = False
) -> Any:
    """A figure with a bar a row, the first one on top. text: of a bar, for instance `{:.0f} s`."""
    figure, (axes,) = panels(7, 0.5 + 0.45 * len(values))
    drawn = axes.barh(list(values), list(values.values()), color=colours)
    axes.bar_label(drawn, fmt=text, padding=3)
    axes.set(xlabel=label, xmargin=0.12)
    if log:
        axes.set(xscale="log", xlim=(min(values.values()) / 2, max(values.values()) * 4))
    axes.invert_yaxis()
    return figure

"""What all pictures share: colours, when an axis is logarithmic, and how a matplotlib figure is made and saved.

Figures are made without pyplot, which keeps each one in a global list.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, RED, GRAY = "#2563a8", "#c8372d", "#8a8a8a"
_DPI = 110
_WIDE = 30  # largest value to smallest, from which on an axis is logarithmic


def blank(width: float, height: float) -> Figure:
    """width, height: inches."""
    from matplotlib.figure import Figure

    return Figure((width, height), layout="constrained")


def unframed(figure: Figure) -> Figure:
    for axis in figure.axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def are_wide(values: Sequence[float]) -> bool:
    """Spread over orders of magnitude: they would crowd at one end of a linear axis."""
    return bool(values) and min(values) > 0 and max(values) > _WIDE * min(values)


def save(figure: Figure, path: Path) -> None:
    """PNG, or what the ending of `path` says."""
    figure.savefig(path, dpi=_DPI)

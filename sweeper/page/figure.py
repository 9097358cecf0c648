"""Figures for Plotly in the browser, as plain data: what the charts of a report share.

Colours are variables of report.css. `customdata` is a trial's number: a click shows its line in the leaderboard.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

from sweeper import drawing, text

Figure = dict[str, Any]
LONGEST = 24  # characters of a name at an axis
DOT = {"size": 6, "color": "var(--faint)"}
CROSS = {"size": 7, "color": "var(--dim)", "symbol": "x-thin-open"}


def cut(words: str) -> str:
    """A name as short as an axis has room for."""
    return words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"


def escaped(words: str) -> str:
    """As Plotly shows it without reading markup in it."""
    return html.escape(text.printable(words), quote=False)


def scatter(
    name: str, x: Sequence, y: Sequence, trials: Sequence[int] = (), hover: str = "%{x}: %{y}", **style: Any
) -> Figure:
    """trials: the number of each point's, which `hover` may show."""
    trace = {"type": "scatter", "mode": "markers", "name": name, "x": x, "y": y}
    known = {"customdata": trials} if trials else {}
    return trace | known | {"hovertemplate": f"{hover}<extra></extra>"} | style


def axes(x: str, y: str, **layout: Any) -> Figure:
    """A layout. x, y: their titles."""
    return {"xaxis": {"title": {"text": escaped(x)}}, "yaxis": {"title": {"text": escaped(y)}}} | layout


def powers(low: float, high: float) -> list[float]:
    """Where a logarithmic axis has its ticks: at powers of ten, where it is short also at 2 and 5 between them."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    digits = (1,) if drawing.are_wide((low, high)) else (1, 2, 5)
    return [float(f"{digit}e{exponent}") for exponent in exponents for digit in digits]

"""The schedule that a population found, as a section of a report."""

from __future__ import annotations

from typing import Any

from sweeper import text
from sweeper.page.figure import Figure, axes, escaped, scatter
from sweeper.page.page import Chart, Grid, Section
from sweeper.page.seen import Seen

LEAD = (
    "What the best network was trained with, back to its beginning, in front of the lives of all members. At a cross a "
    "member went on from the state of another one that was ahead."
)


def section(seen: Seen) -> Section | None:
    from sweeper.evolution import found

    of = found.of(seen.sweep)
    if of is None:
        return None
    charts = [_chart(of, key, name) for key, name in zip(of.keys, text.names(of.keys), strict=True)]
    return Section("schedule", "Schedule", [Grid(charts, wide=True)], LEAD)


def _chart(found: Any, key: str, name: str) -> Chart:
    from sweeper.evolution.picture import is_wide

    hover = "trial %{customdata}, epoch %{x}: %{y}"
    traces, is_category = [], found.is_category(key)
    for title, steps, style in (
        ("members", found.lives(key), {"mode": "lines", "line": {"color": "var(--faint)", "width": 1}}),
        ("copied", found.copies(key), {"marker": {"color": "var(--dim)", "size": 7, "symbol": "x-thin-open"}}),
        (
            "to the best",
            found.steps(found.best, key),
            {"mode": "lines", "line": {"color": "var(--best)", "width": 2.5}},
        ),
    ):
        if steps.epochs:
            y = [word and escaped(word) for word in steps.words] if is_category else steps.values
            traces.append(scatter(title, steps.epochs, y, steps.trials, hover, **style))
    layout: Figure = axes("epoch", name)
    if is_wide(found, key):
        layout["yaxis"] |= {"type": "log", "dtick": 1}
    return Chart(f"{name} by epoch", {"data": traces, "layout": layout}, height=260)

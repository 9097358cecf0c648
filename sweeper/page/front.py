"""The Pareto front of several objectives as charts, one for each two of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

from sweeper import drawing
from sweeper.page.figure import CROSS, DOT, axes, scatter
from sweeper.page.page import Chart
from sweeper.page.seen import Seen
from sweeper.records.record import Trial


def charts(seen: Seen) -> list[Chart]:
    return [_pair(seen, first, second) for first, second in combinations(range(len(seen.objectives)), 2)]


def _pair(seen: Seen, first: int, second: int) -> Chart:
    """The second objective to the right, the first upwards, as in the sweep's pareto.png."""
    finite = [trial for trial in seen.ranked if all(map(math.isfinite, trial.values))]
    front = {trial.number for trial in seen.front}
    data = []
    for name, group, style in (
        ("misses a constraint", [trial for trial in finite if trial.missed], {"marker": CROSS}),
        ("other trials", [one for one in finite if not one.missed and one.number not in front], {"marker": DOT}),
        ("Pareto front", [trial for trial in finite if trial.number in front], _front(seen)),
    ):
        ordered = sorted(group, key=lambda trial: trial.values[second])
        x, y = ([trial.values[place] for trial in ordered] for place in (second, first))
        numbers = [trial.number for trial in ordered]
        if ordered:
            data.append(scatter(name, x, y, numbers, "trial %{customdata}<br>%{x}: %{y}", **style))
    layout = axes(_titled(seen, second), _titled(seen, first))
    for axis, place in (("xaxis", second), ("yaxis", first)):
        layout[axis] |= _scale(finite, place)
    return Chart(f"{seen.objectives[first]} against {seen.objectives[second]}", {"data": data, "layout": layout}, 380)


def _front(seen: Seen) -> dict:
    """Of two objectives with the border of what it beats."""
    marker = {"marker": {"size": 8, "color": "var(--best)"}}
    if len(seen.objectives) > 2:
        return marker
    return marker | {
        "mode": "lines+markers",
        "line": {"shape": "vh" if seen.rising[1] else "hv", "width": 1, "color": "var(--best)"},
    }


def _titled(seen: Seen, place: int) -> str:
    return f"{seen.objectives[place]} ({'more' if seen.rising[place] else 'less'} is better)"


def _scale(trials: Sequence[Trial], place: int) -> dict:
    wide = drawing.are_wide([trial.values[place] for trial in trials])
    return {"type": "log", "dtick": 1} if wide else {}  # powers of ten: a phone has no room for more

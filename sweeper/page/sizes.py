"""The best network of each size, as a section of a report: what was trained, and what is expected, as heat maps."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from sweeper import text
from sweeper.config import command
from sweeper.errors import ConfigError
from sweeper.page.figure import Figure, axes, escaped, powers
from sweeper.page.page import Chart, Command, Grid, Section, Words
from sweeper.page.seen import Seen
from sweeper.ranking import axes as map_axes
from sweeper.ranking import plane, units
from sweeper.records import lineage, sweeps
from sweeper.sail.descriptor import Descriptor

if TYPE_CHECKING:
    from sweeper.ranking.atlas import Atlas

BAR = {"orientation": "h", "y": -0.2, "yanchor": "top", "thickness": 10, "outlinewidth": 0}  # a phone is not wide
WIDER = 2  # largest network to smallest, from which on sizes differ
HEIGHT = 420  # pixels
LINE = 44  # characters of what is shown at the mouse
WORSE_TO_BETTER = [[0, "var(--least)"], [0.5, "var(--accent)"], [1, "var(--most)"]]


def section(seen: Seen) -> Section | None:
    """Of one objective, where a sampler filled a map, or the sizes of networks differ."""
    own = map_axes.recorded(seen.sweep)
    if not seen.searched or len(seen.objectives) > 1 or not seen.ranked or not (own or _differ(seen)):
        return None
    from sweeper.ranking import atlas

    title = "The best of each size"
    try:
        drawn = atlas.of(seen.sweep, map_axes.of(seen.sweep), known=seen.ranges)
    except ConfigError as error:
        return Section("sizes", title, [Words(str(error))])
    charts = [_trained(seen, drawn), *([_expected(seen, drawn)] if drawn.expected else [])]
    lead = (
        "In each cell the best trial that costs so much, by its number: a click shows it. The other map is what a "
        "surrogate that has learned from all trials expects of the best untrained candidate."
    )
    return Section("sizes", title, [Grid(charts, wide=True), *_next(seen, drawn)], lead)


def _differ(seen: Seen) -> bool:
    """Whether there are sizes enough for a map."""
    told = [[trial.number_of(name) for trial in seen.ranked] for name in map_axes.NAMES]
    if len(seen.ranked) < map_axes.FEWEST or any(cost is None for costs in told for cost in costs):
        return False
    return any(max(costs) >= WIDER * min(costs) and len(set(costs)) > 2 for costs in told)


def _next(seen: Seen, atlas: Atlas) -> list[Command]:
    is_population = lineage.is_population(seen.sweep)
    if seen.running or is_population or not atlas.expected or not command.ours(seen.sweep.started.command):
        return []
    line = f"python -m sweeper verify --sweep {sweeps.name(seen.sweep.folder)}"
    return [Command("trains those that promise most", line)]


def _trained(seen: Seen, atlas: Atlas) -> Chart:
    elites = dict(atlas.elites)

    def hover(cell: int) -> str:
        trial = elites[cell]
        costs = {axis.name: trial.facts[axis.name] for axis in atlas.descriptors}
        return _words(f"trial {trial.number}: {text.value(trial.values[0])}", costs, trial.params)

    name = seen.objectives[0]
    chart = _heat_map(seen, atlas, atlas.archive.scores, hover, lambda cell: elites[cell].number)
    return Chart(
        f"{name} of the best trained trial in each cell", chart, HEIGHT, "Trained, the best trial by its number."
    )


def _expected(seen: Seen, atlas: Atlas) -> Chart:
    expected = atlas.expected

    def hover(cell: int) -> str:
        promised = f"{text.value(expected.values[cell])} ± {text.value(expected.deviations[cell])} expected"
        ends = {name: f"{low:.3g} to {high:.3g}" for name, (low, high) in atlas.bounds(cell).items()}
        return _words(promised, ends, expected.params[cell])

    chart = _heat_map(seen, atlas, expected.values, hover, None)
    label = f"{seen.objectives[0]} that is expected of the best untrained candidate in each cell"
    return Chart(label, chart, HEIGHT, "Expected of the best untrained candidate.")


def _heat_map(
    seen: Seen, atlas: Atlas, values: np.ndarray, hover: Callable[[int], str], number: Callable[[int], int] | None
) -> Figure:
    """hover, number: of a cell that has a value; its trial is shown by a click."""
    rising = seen.rising[0]
    places = plane.cells(values, atlas.archive.shape, rising)
    rows = places.T.tolist()  # Plotly's go upwards
    low, high = plane.limits([atlas.archive.scores, *([atlas.expected.values] if atlas.expected else [])], rising)
    x, y = (_placed(ends, axis) for ends, axis in zip_longest(plane.edges(atlas.descriptors), atlas.descriptors[:2]))
    trace = {
        "type": "heatmap",
        "x": x,
        "y": y,
        "z": [[float(values[cell]) if cell >= 0 else None for cell in row] for row in rows],
        "zmin": low,
        "zmax": high,
        "hovertext": [[hover(cell) if cell >= 0 else "" for cell in row] for row in rows],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "hoverongaps": False,
        "xgap": 1,
        "ygap": 1,
        "colorscale": WORSE_TO_BETTER,
        "reversescale": not rising,
        "colorbar": BAR | {"title": {"text": escaped(seen.objectives[0]), "side": "top", "font": {"size": 12}}},
    }
    if number:
        trials = [[number(cell) if cell >= 0 else None for cell in row] for row in rows]
        trace["customdata"] = trials
        if max(places.shape) <= plane.WRITTEN:
            trace["text"] = [["" if trial is None else str(trial) for trial in row] for row in trials]
            trace["texttemplate"] = "%{text}"
    return {"data": [trace], "layout": _layout(atlas)}


def _layout(atlas: Atlas) -> Figure:
    first, *others = atlas.descriptors
    layout = axes(units.titled(first.name), units.titled(others[0].name) if others else "")
    layout["xaxis"] |= _scale(first)
    layout["yaxis"] |= _scale(others[0]) if others else {"showticklabels": False, "range": [0, 1]}
    return layout


def _scale(axis: Descriptor) -> Figure:
    """A logarithmic one is linear for Plotly, which would not find the middle of its cells."""
    if not axis.log:
        return {"range": [axis.low, axis.high]}
    values = [value for value in powers(axis.low, axis.high) if axis.low * 0.999 <= value <= axis.high * 1.001]
    words = [text.size(round(value)) if value >= 1 else f"{value:g}" for value in values]
    ends = _placed(np.array([axis.low, axis.high]), axis)
    return {"range": ends, "tickvals": _placed(np.array(values), axis), "ticktext": words}


def _placed(values: np.ndarray, axis: Descriptor | None) -> list[float]:
    """axis: None is one that has only one cell."""
    return (np.log10(values) if axis and axis.log else values).tolist()


def _words(head: str, costs: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    """What is shown at the mouse: Plotly breaks no lines by itself."""
    told = [f"{name} {cost if isinstance(cost, str) else f'{cost:g}'}" for name, cost in costs.items()]
    lines = [head, *told, *textwrap.wrap(text.params(params), LINE)]
    return "<br>".join(map(escaped, lines))

"""Parallel coordinates: an axis a parameter, a line a trial, drawn by report.js.

Optuna's need WebGL, which many machines without a GPU lack and no printer shows, and leave out every trial that lacks a
parameter, which in a space of config groups is most of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution

from sweeper import text
from sweeper.page.figure import cut
from sweeper.page.page import Parallel
from sweeper.page.seen import Seen
from sweeper.records.lineage import hyperparameters
from sweeper.records.record import Trial
from sweeper.search.ranges import override_key

LINES = 1000  # the best ones
TICKS = 5  # of numbers
CATEGORIES = 20  # named on an axis


def coordinates(seen: Seen, place: int) -> Parallel:
    """Of the finished trials, the worst first: what is drawn later lies above. place: of the objective."""
    trials = seen.measured(place)
    trials = sorted(trials, key=lambda trial: trial.values[place], reverse=not seen.rising[place])[-LINES:]
    keys = _keys(trials)
    ranges = [{override_key(name, trial): of for name, of in seen.ranges[trial.number].items()} for trial in trials]
    columns = [_parameter(key, trials, [own.get(key) for own in ranges]) for key in keys]
    columns.append(_numbers([trial.values[place] for trial in trials], log=False))
    labels = [*text.names(keys), seen.objectives[place]]
    axes = [
        {"label": cut(label), "ticks": ticks, "gaps": None in places}
        for label, (places, ticks) in zip(labels, columns, strict=True)
    ]
    lines = [
        {
            "trial": trial.number,
            "places": [places[row] for places, _ in columns],
            "share": round(row / max(len(trials) - 1, 1), 3),
            "words": f"trial {trial.number}: {text.value(trial.values[place])}\n{text.params(trial.params)}",
        }
        for row, trial in enumerate(trials)
    ]
    label = f"Parallel coordinates of {len(trials)} trials: {', '.join(labels)}"
    return Parallel(label, {"axes": axes, "lines": lines})


def _keys(trials: Sequence[Trial]) -> list[str]:
    """Those of which the trials have more than one value, in the order in which they are drawn."""
    values: dict[str, set] = {}
    for trial in trials:
        for key in hyperparameters(trial.params):
            values.setdefault(key, set()).add(str(trial.params[key]))
    return [key for key, known in values.items() if len(known) > 1]


def _parameter(
    key: str, trials: Sequence[Trial], ranges: Sequence[BaseDistribution | None]
) -> tuple[list[float | None], list]:
    """Of each trial the place from 0 to 1 from below, None where it has no such parameter, and what stands where."""
    told = [of for of in ranges if of is not None]
    if any(isinstance(of, CategoricalDistribution) for of in told):
        choices = [choice for of in told if isinstance(of, CategoricalDistribution) for choice in of.choices]
        return _categories([str(trial.params[key]) if key in trial.params else None for trial in trials], choices)
    return _numbers([trial.params.get(key) for trial in trials], log=all(of.log for of in told))


def _categories(values: Sequence[str | None], choices: Sequence[Any]) -> tuple[list[float | None], list]:
    """choices: may repeat."""
    known = list(dict.fromkeys([*map(str, choices), *(value for value in values if value is not None)]))
    places = {choice: place / max(len(known) - 1, 1) for place, choice in enumerate(known)}
    ticks = [[place, cut(choice)] for choice, place in places.items()]
    return [places.get(value) for value in values], ticks[:: math.ceil(len(known) / CATEGORIES)]


def _numbers(values: Sequence[float | None], log: bool) -> tuple[list[float | None], list]:
    turned = [value if value is None or not log else math.log(value) for value in values]
    low, high = (bound(value for value in turned if value is not None) for bound in (min, max))
    extent = high - low or 1.0
    marks = [place / (TICKS - 1) for place in range(TICKS)] if high > low else [0.0]
    ticks = [[mark, _tick(low + mark * extent, log)] for mark in marks]
    return [None if value is None else round((value - low) / extent, 4) for value in turned], ticks


def _tick(value: float, log: bool) -> str:
    return f"{math.exp(value) if log else value:.2g}"

"""What a map promises of trials that are trained then: written before they begin, so that nobody chooses afterwards."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.records import jsonl
from sweeper.records.record import Sweep, Trial
from sweeper.records.states import OPEN

if TYPE_CHECKING:
    from sweeper.ranking.atlas import Atlas

# In the sweep's folder: a Promise a line, and the same once more when it was told what came of it.
NAME = "promises.jsonl"
_SAME = 1e-5  # relative difference below which Optuna takes two numbers for the same trial's


@dataclass(frozen=True)
class Promise:
    """Of the best untrained candidate of a cell."""

    round: int  # of those that were made at a time, from 0
    place: int  # among them, the largest gain first
    low: dict[str, float]  # of the cell, by axis
    high: dict[str, float]
    value: float  # expected, in the objective's own unit
    deviation: float  # of what is expected
    elite: float | None  # the value to beat; None: the cell was empty
    holder: int | None  # whose it is
    params: dict[str, Any]  # by override key
    trial: int | None = None  # what was trained, once it was told to the user

    def holds(self, trial: Trial) -> bool:
        """Whether the trial lies in the cell."""
        costs = {name: trial.number_of(name) for name in self.low}
        return all(cost is not None and self.low[name] <= cost <= self.high[name] for name, cost in costs.items())


def chosen(atlas: Atlas, count: int, round: int) -> list[Promise]:
    """Of up to `count` cells: those with the largest gain over their elite, or over the worst trial where one is empty.

    What was trained already promises nothing. Empty if nothing better is expected anywhere.
    """
    expected, sign = atlas.expected, 1.0 if atlas.sweep.started.directions[0] == "maximize" else -1.0
    worst = min(sign * trial.values[0] for trial in atlas.sweep.ranked() if math.isfinite(trial.values[0]))
    elites = dict(atlas.elites)
    gains = {
        cell: sign * expected.values[cell] - (sign * elites[cell].values[0] if cell in elites else worst)
        for cell, params in expected.params.items()
        if not any(_alike(params, trial.params) for trial in atlas.sweep.trials)
    }
    best = sorted((cell for cell in gains if gains[cell] > 0), key=lambda cell: -gains[cell])[:count]
    return [_promise(atlas, cell, round, place, elites.get(cell)) for place, cell in enumerate(best)]


def read(folder: Path) -> list[Promise]:
    """All rounds, the first one first. Raises: DataError naming the line if one is damaged."""
    last = {(promise.round, promise.place): promise for promise in jsonl.rows(folder / NAME, Promise)}
    return [last[key] for key in sorted(last)]


def latest(promises: Sequence[Promise]) -> list[Promise]:
    """The last round; empty if there was none."""
    return [promise for promise in promises if promise.round == promises[-1].round]


def next_round(promises: Sequence[Promise]) -> int:
    return promises[-1].round + 1 if promises else 0


def write(folder: Path, promises: Iterable[Promise]) -> None:
    """On the disk when it returns. Raises: OSError if the disk is full."""
    lines = "".join(json.dumps(asdict(promise), separators=(",", ":")) + "\n" for promise in promises)
    with open(folder / NAME, "a+b", buffering=0) as file:
        jsonl.append(file, lines.encode(), jsonl.cut_torn_line(file), sync=True)


def trial_of(promise: Promise, sweep: Sweep) -> Trial | None:
    """What was begun to train for it; None if nothing was."""
    return next((trial for trial in sweep.trials if _alike(promise.params, trial.params)), None)


def pending(promises: Iterable[Promise], sweep: Sweep) -> list[Promise]:
    """Those whose trial has not ended yet, or not begun."""
    trials = ((promise, trial_of(promise, sweep)) for promise in promises)
    return [promise for promise, trial in trials if trial is None or trial.state in OPEN]


def _promise(atlas: Atlas, cell: int, round: int, place: int, elite: Trial | None) -> Promise:
    bounds = atlas.bounds(cell)
    return Promise(
        round,
        place,
        {name: low for name, (low, _) in bounds.items()},
        {name: high for name, (_, high) in bounds.items()},
        float(atlas.expected.values[cell]),
        float(atlas.expected.deviations[cell]),
        elite and elite.values[0],
        elite and elite.number,
        atlas.expected.params[cell],
    )


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether Optuna, asked for both, would train the first alone."""
    return one.keys() == other.keys() and all(_equal(value, other[key]) for key, value in one.items())


def _equal(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    return math.isclose(one, other, rel_tol=_SAME) if isinstance(one, float) else one == other

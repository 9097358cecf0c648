"""The leaderboard of a report: a line a trial, and what a click on it shows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sweeper import text
from sweeper.page.page import Cell, Line, Table
from sweeper.page.seen import Seen
from sweeper.ranking.standings import Row, Standing
from sweeper.records.record import Trial

FACTS = {"epochs": "epochs", "parameters": "size"}  # with the titles of their columns


@dataclass(frozen=True)
class Details:
    """Of one trial."""

    lines: tuple[tuple[str, str], ...]  # names and what they are
    command: str


def table(seen: Seen, standing: Standing) -> Table:
    trials = [row.trial for row in standing.rows]
    keys = list(dict.fromkeys(key for trial in trials for key in trial.params))
    models = len({row.model for row in standing.rows}) > 1 and "model" not in keys
    head = [Cell("#", style="number"), Cell("trial"), Cell("state"), *([Cell("model")] if models else [])]
    head += [Cell(name, style="number value") for name in seen.objectives]
    head += [Cell(name, style=_side(trials, key)) for key, name in zip(keys, text.names(keys), strict=True)]
    facts = [fact for fact in FACTS if any(fact in trial.facts for trial in trials)]
    head += [Cell(name, style="number") for name in (*(FACTS[fact] for fact in facts), "time")]
    lines = [
        Line(_cells(row, seen, keys, facts, models), row.trial.number, "best" if row.trial is seen.best else "")
        for row in standing.rows
    ]
    return Table(f"Trials by {standing.title}: {standing.counts}", head, lines, filtered=True)


def details(row: Row) -> Details:
    trial = row.trial
    missed = ", ".join(f"{constraint} by {gap:g}" for constraint, gap in trial.missed.items())
    lines = [
        ("state", f"{row.state} after {text.duration(trial.seconds)}{_attempts(trial)}"),
        ("reason", trial.reason),
        *((key, str(value)) for key, value in trial.params.items()),
        *((key, _fact(value)) for key, value in trial.facts.items() if key not in trial.params),
        ("misses", missed),
        *_tested(trial),
        ("folder", str(trial.folder)),
        ("network", trial.model.name if trial.model.is_file() else "not kept"),
        ("MLflow run", trial.run_id),
    ]
    return Details(tuple((name, words) for name, words in lines if words), trial.command)


def state(row: Row) -> Cell:
    return Cell(row.state, style="state", colour=f"--{row.colour}")


def _cells(row: Row, seen: Seen, keys: list[str], facts: list[str], models: bool) -> list[Cell]:
    trial = row.trial
    values = trial.values or (None,) * len(seen.objectives)
    return [
        Cell(str(row.rank or ""), row.rank, "number"),
        Cell(str(trial.number), trial.number, "trial"),
        state(row),
        *([Cell(row.model, style="text")] if models else []),
        *(Cell("" if value is None else text.value(value), value, "number value") for value in values),
        *(_parameter(trial.params, key) for key in keys),
        *(_size(trial.facts.get(fact)) if fact == "parameters" else _number(trial.facts.get(fact)) for fact in facts),
        Cell(text.duration(trial.seconds), trial.seconds, "number"),
    ]


def _side(trials: list[Trial], key: str) -> str:
    values = (trial.params[key] for trial in trials if key in trial.params)
    return "number" if all(map(_is_number, values)) else ""


def _parameter(params: Mapping[str, Any], key: str) -> Cell:
    value = params.get(key, "")
    return _number(value) if _is_number(value) else Cell(str(value), style="text")


def _number(value: Any) -> Cell:
    if not _is_number(value):
        return Cell("", style="number")
    return Cell(f"{value:.3g}" if isinstance(value, float) else str(value), value, "number")


def _size(parameters: Any) -> Cell:
    return Cell(text.size(parameters), parameters, "number") if _is_number(parameters) else Cell("", style="number")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _fact(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _attempts(trial: Trial) -> str:
    return f", attempt {trial.attempt + 1}" if trial.attempt else ""


def _tested(trial: Trial) -> list[tuple[str, str]]:
    if trial.tested is None:
        return []
    return [(f"{name} of {trial.tested.images:,} images", _fact(value)) for name, value in trial.tested.metrics.items()]

"""Trials of many sweeps made comparable: those of one data set and metric together, best first. Also as a CSV file."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from sweeper.records import record
from sweeper.records.record import Sweep, Trial
from sweeper.records.states import colour, label
from sweeper.search import constraints

_TRAINED = ("finished", "infeasible")  # to their end
_ORDER = {"finished": 0, "infeasible": 1, "duplicate": 2, "pruned": 3}  # a pruned trial's value is of an early epoch


@dataclass(frozen=True)
class Row:
    rank: int | None  # from 1 among the finished and feasible, 1 for a whole Pareto front; the others have none
    sweep: str
    trial: Trial
    dataset: str  # the words on the command line; empty where no trial told
    model: str

    @property
    def name(self) -> str:
        return f"{self.sweep}/{self.trial.number}"

    @property
    def state(self) -> str:
        """`finished`; `duplicate` where it was not trained, `infeasible` where it misses a constraint."""
        if self.trial.duplicate_of is not None:
            return "duplicate"
        return "infeasible" if self.trial.missed else label(self.trial.state)

    @property
    def colour(self) -> str:
        """Of the state, a terminal's name. What misses a constraint is no success."""
        return "yellow" if self.state == "infeasible" else colour(self.trial.state)


@dataclass(frozen=True)
class Standing:
    dataset: str
    metric: str
    directions: tuple[str, ...]
    rows: tuple[Row, ...]  # finished trials by value, feasible ones first, then pruned ones by value, then the rest

    @property
    def title(self) -> str:
        better = ", ".join("higher" if direction == "maximize" else "lower" for direction in self.directions)
        metric = self.metric.replace(",", ", ")
        front = "; * Pareto front" if len(self.directions) > 1 else ""
        return f"{self.dataset + ', ' if self.dataset else ''}{metric} ({better} is better{front})"

    @cached_property
    def constrained(self) -> bool:
        return any(row.trial.missed for row in self.rows)

    @property
    def counts(self) -> str:
        """`12 finished, 2 pruned, 1 failed`."""
        states = Counter(row.state for row in self.rows)
        return ", ".join(f"{count} {state}" for state, count in states.items())


def of(sweeps: Iterable[Sweep]) -> list[Standing]:
    """One standing for each data set, metric and direction, in the order in which the sweeps bring them."""
    groups: dict[tuple, list[tuple[Sweep, Trial, str]]] = {}
    for sweep in sweeps:
        datasets, models = _words(sweep, "dataset"), _words(sweep, "model")
        for trial, dataset, model in zip(sweep.trials, datasets, models, strict=True):
            key = (dataset, sweep.started.metric, sweep.started.directions)
            groups.setdefault(key, []).append((sweep, trial, model))
    return [_standing(*key, entries) for key, entries in groups.items()]


def write_csv(path: Path, standings: Iterable[Standing]) -> None:
    """Every trial and everything that is known about it, in full precision; a column for each parameter and fact."""
    table = [_record(standing, row) for standing in standings for row in standing.rows]
    columns = list(dict.fromkeys(column for line in table for column in line))
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(table)


def _words(sweep: Sweep, group: str) -> list[str]:
    """Which file of a config group each trial used. One that ended early did not tell: it shares its sweep's."""
    shared = sweep.started.choices.get(group, "")
    return [str(trial.params.get(group, trial.facts.get(group, shared))) for trial in sweep.trials]


def _standing(
    dataset: str, metric: str, directions: tuple[str, ...], entries: list[tuple[Sweep, Trial, str]]
) -> Standing:
    ids = {sweep.folder: sweep.id for sweep, _, _ in entries}
    rows = [Row(None, ids[sweep.folder], trial, dataset, model) for sweep, trial, model in entries]
    trained = [row for row in rows if row.state in _TRAINED]
    placed = list(zip(record.ranks([row.trial for row in trained], directions), trained, strict=True))
    placed += [(0, row) for row in rows if row.state not in _TRAINED]

    def order(placed: tuple[int, Row]) -> tuple:
        front, row = placed
        return _ORDER.get(row.state, len(_ORDER)), front, record.losses(row.trial.values or (), directions)

    def ranked(place: int, front: int, row: Row) -> Row:
        return replace(row, rank=place if len(directions) == 1 else front) if row.state == "finished" else row

    ordered = enumerate(sorted(placed, key=order), start=1)
    return Standing(dataset, metric, directions, tuple(ranked(place, *one) for place, one in ordered))


def _record(standing: Standing, row: Row) -> dict[str, Any]:
    trial = row.trial
    values = trial.values or (None,) * len(standing.directions)
    return (
        {
            "rank": row.rank,
            "sweep": row.sweep,
            "trial": trial.number,
            "state": trial.state,
            "dataset": row.dataset,
            "model": row.model,
            "metric": standing.metric,
        }
        | constraints.named(values)
        | ({"pareto_front": row.rank == 1} if len(standing.directions) > 1 else {})
        | ({"feasible": not trial.missed} if standing.constrained and trial.state == "FINISHED" else {})
        | {f"params.{key}": choice for key, choice in trial.params.items()}
        | {f"facts.{key}": fact for key, fact in trial.facts.items() if key not in ("dataset", "model")}
        | (trial.tested.metrics if trial.tested else {})
        | {
            "seconds": trial.seconds,
            "run_id": trial.run_id,
            "reason": trial.reason,
            "command": trial.command,
            "folder": trial.folder,
        }
    )

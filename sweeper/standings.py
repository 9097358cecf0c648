"""Trials of many sweeps made comparable: those of one data set and metric together, best first. Also as a CSV file."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper import record
from sweeper.record import Sweep, Trial

_ORDER = {"FINISHED": 0, "PRUNED": 1}  # a pruned trial's value is that of an early epoch: never before a finished one


@dataclass(frozen=True)
class Row:
    rank: int | None  # from 1 among the finished; the others have none
    sweep: str
    trial: Trial
    dataset: str  # the words on the command line; empty where no trial told
    model: str

    @property
    def name(self) -> str:
        return f"{self.sweep}/{self.trial.number}"


@dataclass(frozen=True)
class Standing:
    dataset: str
    metric: str
    directions: tuple[str, ...]
    rows: tuple[Row, ...]  # finished trials by value, then pruned ones by value, then the rest

    @property
    def title(self) -> str:
        better = ", ".join("higher" if direction == "maximize" else "lower" for direction in self.directions)
        return f"{self.dataset + ', ' if self.dataset else ''}{self.metric} ({better} is better)"

    @property
    def counts(self) -> str:
        """`12 finished, 2 pruned, 1 failed`."""
        states = Counter(row.trial.state.lower() for row in self.rows)
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
    def place(entry: tuple[Sweep, Trial, str]) -> tuple:
        trial = entry[1]
        return _ORDER.get(trial.state, 2), record.losses((trial.values or ())[:1], directions)

    rows = tuple(
        Row(rank if trial.state == "FINISHED" else None, sweep.id, trial, dataset, model)
        for rank, (sweep, trial, model) in enumerate(sorted(entries, key=place), start=1)
    )
    return Standing(dataset, metric, directions, rows)


def _record(standing: Standing, row: Row) -> dict[str, Any]:
    trial = row.trial
    values = trial.values or (None,) * len(standing.directions)
    names = ["value"] if len(standing.directions) == 1 else [f"value_{number}" for number in range(len(values))]
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
        | dict(zip(names, values, strict=True))
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

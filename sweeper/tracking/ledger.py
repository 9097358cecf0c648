"""Which of MLflow's runs belongs to which attempt of a trial: what makes it possible to mirror a sweep twice."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

from sweeper.records import jsonl, record


class Ledger:
    """`folder/mlflow.jsonl`: a line for each run as soon as MLflow has made it, and one when MLflow has all of it.

    The sweep's own run is trial None, attempt 0. A last line torn by a crash is cut on opening.
    """

    def __init__(self, folder: Path):
        """Raises: DataError naming the line if one is damaged."""
        self._path = folder / record.RUNS
        self._runs: dict[tuple[int | None, int], str] = {}
        self._mirrored: dict[tuple[int | None, int], set[float]] = {}
        if self._path.exists():
            for run in jsonl.rows(self._path, record.Run):
                self._take(run)
            with open(self._path, "r+b") as file:
                jsonl.cut_torn_line(file)

    def __len__(self) -> int:
        return len(self._runs)

    def get(self, trial: int | None, attempt: int) -> str | None:
        """The run's ID."""
        return self._runs.get((trial, attempt))

    def has(self, trial: int | None, attempt: int, time: float | None = None) -> bool:
        """Whether MLflow has all of the run up to the event of this time; None: up to any end of it."""
        times = self._mirrored.get((trial, attempt), ())
        return bool(times) if time is None else time in times

    def add(self, trial: int | None, attempt: int, run_id: str) -> None:
        """The run begins, or goes on after its end."""
        self._write(record.Run(trial, run_id, attempt))

    def complete(self, trial: int | None, attempt: int, time: float) -> None:
        """MLflow has all of the run up to the event of this time: its end, or the test of its network."""
        self._write(record.Run(trial, self._runs[trial, attempt], attempt, time))

    def _write(self, run: record.Run) -> None:
        self._take(run)
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(run)) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _take(self, run: record.Run) -> None:
        key = run.trial, run.attempt
        if run.trial is None and self._runs.get(key) != run.run_id:
            self._runs.clear()  # another store, or the run was deleted: the runs inside are none of the new one's
            self._mirrored.clear()
        self._runs[key] = run.run_id
        if run.mirrored is None:
            self._mirrored.pop(key, None)
        else:
            self._mirrored.setdefault(key, set()).add(run.mirrored)

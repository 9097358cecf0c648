"""Which of MLflow's runs belongs to which attempt of a trial: what makes it possible to mirror a sweep twice."""

from __future__ import annotations

import json
from pathlib import Path

from sweeper import journal, record


class Ledger:
    """`folder/mlflow.jsonl`, a line for each run, written as soon as MLflow has made it."""

    def __init__(self, folder: Path):
        """Raises: DataError naming the line if one is damaged."""
        self._path = folder / record.RUNS
        self._runs = {(run.trial, run.attempt): run.run_id for run in journal.rows(self._path, record.Run)}

    def get(self, trial: int | None, attempt: int) -> str | None:
        """The run's ID. The sweep's own run is trial None, attempt 0."""
        return self._runs.get((trial, attempt))

    def add(self, trial: int | None, attempt: int, run_id: str) -> None:
        self._runs[trial, attempt] = run_id
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"trial": trial, "attempt": attempt, "run_id": run_id}) + "\n")

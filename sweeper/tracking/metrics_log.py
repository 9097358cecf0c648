"""What is measured of a trial after its end, on its run in MLflow."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from sweeper.errors import ConfigError
from sweeper.records import sweeps
from sweeper.records.record import Trial
from sweeper.secret import without_credentials
from sweeper.tracking import run_store, store


def log(sweep: Path, trial: Trial, values: Mapping[str, float]) -> str:
    """A sentence for the user: where the values are, or why they are not. Never reason enough to lose them.

    sweep: the folder of the trial's sweep.
    """
    if trial.run_id is None:
        return f"MLflow has no run of this trial. To write it there: python -m sweeper replay {sweeps.name(sweep)}"
    try:
        uri = store.resolve(store.remembered(sweep).get("uri"))
        client = store.existing(uri)
        client.log_batch(trial.run_id, metrics=run_store.metrics(values, time.time()))
    except ConfigError as error:
        return f"Not logged to MLflow: {error}"
    except Exception as error:  # the store's, its driver's, or the connection's
        return f"Not logged to MLflow: {store.describe(error)}"
    return f"Logged to run {trial.run_id[:8]} of MLflow at {without_credentials(uri)}"

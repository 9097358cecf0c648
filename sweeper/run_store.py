"""Single runs in MLflow: opened again where the ledger knows them, and written in words that MLflow takes."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.ledger import Ledger
from sweeper.tracking import without_credentials

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

_SAMPLING = 5  # seconds between two looks at the machine
_PARAM_LENGTH, _TAG_LENGTH = 500, 5000  # characters; what older servers take as well


class RunStore:
    """Writing the same thing again changes nothing. All methods raise MlflowException or OSError as the store does."""

    def __init__(self, client: MlflowClient, experiment_id: str, ledger: Ledger):
        self._client, self._experiment_id, self._ledger = client, experiment_id, ledger
        self._params = defaultdict[str, set[str]](set)  # the names that have a value, by run: MLflow never changes one

    def open(self, trial: int | None, attempt: int, name: str, time: float, tags: Mapping[str, Any]) -> str:
        """The ID of a running run: the ledger's where MLflow still has it, else a new one. None is the sweep's own."""
        known = self._find(self._ledger.get(trial, attempt))
        if known:
            self._client.update_run(known.info.run_id, status="RUNNING")
            self._params[known.info.run_id] = set(known.data.params)
            self.log(known.info.run_id, tags=tags)
            return known.info.run_id
        new = self._client.create_run(self._experiment_id, _milliseconds(time), _texts(tags, _TAG_LENGTH), name)
        self._ledger.add(trial, attempt, new.info.run_id)
        return new.info.run_id

    def log(
        self,
        run_id: str,
        *,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        """A param that has a value keeps it."""
        from mlflow.entities import Param, RunTag

        known = self._params[run_id]
        params = [Param(*row) for row in _texts(params or {}, _PARAM_LENGTH).items() if row[0] not in known]
        tags = [RunTag(*row) for row in _texts(tags or {}, _TAG_LENGTH).items()]
        self._client.log_batch(run_id, metrics, params, tags, synchronous=True)  # cuts it into what one call may carry
        known.update(param.key for param in params)

    def watch_machine(self, run_id: str) -> None:
        """CPU, memory, disk and network (GPUs with pynvml) of this machine as metrics, until the run ends."""
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        SystemMetricsMonitor(run_id, _SAMPLING, tracking_uri=self._client.tracking_uri).start()

    def end(self, run_id: str, status: str, time: float) -> None:
        self._client.set_terminated(run_id, status, _milliseconds(time))

    def running_children(self, run_id: str) -> list[str]:
        running = f"tags.mlflow.parentRunId = '{run_id}' and attributes.status = 'RUNNING'"
        return [run.info.run_id for run in self._client.search_runs([self._experiment_id], running)]

    def upload(self, run_id: str, path: Path) -> None:
        """A text file, without the passwords of the addresses in it. Nothing if there is no such file."""
        if path.exists():
            self._client.log_text(run_id, without_credentials(path.read_text()), path.name)

    def upload_file(self, run_id: str, path: Path) -> None:
        """A picture, as it is. Nothing if there is no such file."""
        if path.exists():
            self._client.log_artifact(run_id, str(path))

    def upload_folder(self, run_id: str, folder: Path) -> None:
        """Files under the folder's name. Nothing if there is no such folder."""
        if folder.is_dir():
            self._client.log_artifacts(run_id, str(folder), folder.name)

    def _find(self, run_id: str | None) -> Run | None:
        from mlflow.exceptions import MlflowException

        if run_id is None:
            return None
        try:
            run = self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        return run if run.info.lifecycle_stage == "active" else None


def metrics(values: Mapping[str, float], time: float, step: int = 0) -> list[Metric]:
    """time: seconds since 1970."""
    from mlflow.entities import Metric

    return [Metric(_name(key), float(value), _milliseconds(time), step) for key, value in values.items()]


def _texts(values: Mapping[str, Any], length: int) -> dict[str, str]:
    return {_name(key): _text(value, length) for key, value in values.items()}


def _text(value: Any, length: int) -> str:
    """As one would type it for Hydra (true, null, [1, 2]), and the same before and after a turn through the journal."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return without_credentials(text)[:length]


def _name(key: str) -> str:
    """`+hparams.lr` as hparams.lr, and what MLflow does not allow in a name as an underscore."""
    return re.sub(r"[^\w\-./: ]", "_", key.lstrip("+"))


def _milliseconds(time: float) -> int:
    return round(time * 1000)

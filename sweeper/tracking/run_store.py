"""Single runs in MLflow: opened again where the ledger knows them, and written in words that MLflow takes."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.secret import without_credentials
from sweeper.tracking.ledger import Ledger

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

FOLDER = "sweeper.folder"  # a tag of the sweep's run
ROOT = "sweeper.root"  # of a run that may be nested deeper than right in it: the sweep's run
_RUNNING = " and attributes.status = 'RUNNING'"
_SAMPLING = 5  # seconds between two looks at the machine
_PARAM_LENGTH, _TAG_LENGTH = 500, 5000  # characters; what older servers take as well


class RunStore:
    """The runs of one sweep. Writing the same thing again changes nothing.

    All methods raise MlflowException or OSError as the store does.
    """

    def __init__(self, client: MlflowClient, experiment_id: str, ledger: Ledger):
        self.ledger = ledger
        self._client, self._experiment_id = client, experiment_id
        self._params = defaultdict[str, set[str]](set)  # the names that have a value, by run: MLflow never changes one
        self._parent = ""  # the sweep's run
        self._strays: dict[tuple[int, int], str] | None = {}  # runs that the ledger lacks; None: to be looked for
        self.created: set[str] = set()  # IDs
        self.written: set[str] = set()

    def open(
        self, trial: int | None, attempt: int, name: str, time: float, tags: Mapping[str, Any], again: bool = True
    ) -> str:
        """The ID of the run that MLflow has, else of a new one. The sweep's own, trial None, comes first.

        again: one that MLflow has runs again, with these tags.
        """
        run = self._known(trial, attempt) or self._adopt(trial, attempt, time, tags)
        if run is None:
            run = self._create(trial, attempt, name, time, tags)
        else:
            self._params[run.info.run_id] = set(run.data.params)
            if again:
                if self.ledger.has(trial, attempt):
                    self.ledger.add(trial, attempt, run.info.run_id)
                self._client.update_run(run.info.run_id, status="RUNNING")
                self.log(run.info.run_id, tags=tags)
        if trial is None:
            self._parent, self._experiment_id = run.info.run_id, run.info.experiment_id
        return run.info.run_id

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
        if metrics or params or tags:
            self.written.add(run_id)
            self._client.log_batch(
                run_id, metrics, params, tags, synchronous=True
            )  # cuts it into what a call may carry
        known.update(param.key for param in params)

    def watch_machine(self, run_id: str) -> None:
        """CPU, memory, disk and network (GPUs with pynvml) of this machine as metrics, until the run ends."""
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        SystemMetricsMonitor(run_id, _SAMPLING, tracking_uri=self._client.tracking_uri).start()

    def end(self, run_id: str, status: str, time: float) -> None:
        self._client.set_terminated(run_id, status, _milliseconds(time))

    def running(self) -> list[str]:
        """The IDs of the sweep's runs that have not ended, its own left out."""
        self._unregistered(_RUNNING)
        return [run.info.run_id for run in self._children(_RUNNING)]

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

    def _create(self, trial: int | None, attempt: int, name: str, time: float, tags: Mapping[str, Any]) -> Run:
        try:
            run = self._client.create_run(self._experiment_id, _milliseconds(time), _texts(tags, _TAG_LENGTH), name)
        except Exception:
            self._strays = None  # it may have been made, and only the answer was lost
            raise
        self.ledger.add(trial, attempt, run.info.run_id)
        self.created.add(run.info.run_id)
        return run

    def _known(self, trial: int | None, attempt: int) -> Run | None:
        """By the ledger. None if somebody has deleted it since, or it lies in another store."""
        from mlflow.exceptions import MlflowException

        run_id = self.ledger.get(trial, attempt)
        if run_id is None:
            return None
        try:
            run = self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        if run.info.lifecycle_stage != "active":
            return None
        if trial is None:
            self._strays = None
        return run

    def _adopt(self, trial: int | None, attempt: int, time: float, tags: Mapping[str, Any]) -> Run | None:
        """By its tags: a process that was killed has not written down the last run that MLflow made for it."""
        if trial is None:
            return self._adopt_sweep(time, tags)
        if self._strays is None:
            self._strays = self._unregistered(
                _RUNNING
            )  # a run just made; to look through thousands takes half a minute
        run_id = self._strays.pop((trial, attempt), None)
        if run_id is None:
            return None
        self.ledger.add(trial, attempt, run_id)
        return self._client.get_run(run_id)

    def _adopt_sweep(self, time: float, tags: Mapping[str, Any]) -> Run | None:
        """With the runs inside. One that began at another time in the same folder is another sweep's."""
        folder = _texts(tags, _TAG_LENGTH)[FOLDER]
        for run in self._search(f"attributes.start_time = {_milliseconds(time)}"):
            if run.data.tags.get(FOLDER) == folder:
                self._parent, self._experiment_id = run.info.run_id, run.info.experiment_id
                self.ledger.add(None, 0, self._parent)
                for (number, attempt), run_id in self._unregistered("").items():
                    self.ledger.add(number, attempt, run_id)
                return run
        return None

    def _unregistered(self, condition: str) -> dict[tuple[int, int], str]:
        """Run IDs by trial and attempt. What MLflow made twice, because an answer came late, is deleted."""
        found = {}
        for run in sorted(self._children(condition), key=lambda run: run.info.status == "RUNNING"):
            key = int(run.data.tags["sweeper.trial"]), int(run.data.tags["sweeper.attempt"])
            known = self.ledger.get(*key) or found.setdefault(key, run.info.run_id)
            if known != run.info.run_id and run.info.status == "RUNNING":
                self._client.delete_run(run.info.run_id)
        return found

    def _children(self, condition: str) -> Iterator[Run]:
        """Also those that are nested deeper."""
        tags = ("mlflow.parentRunId", ROOT)
        nested = (run for tag in tags for run in self._search(f"tags.{tag} = '{self._parent}'{condition}"))
        found = {run.info.run_id: run for run in nested if "sweeper.trial" in run.data.tags}
        return iter(found.values())

    def _search(self, condition: str) -> Iterator[Run]:
        token = None
        while True:
            page = self._client.search_runs([self._experiment_id], condition, page_token=token)
            yield from page
            token = page.token
            if not token:
                return


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

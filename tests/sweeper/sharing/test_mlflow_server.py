"""The whole set-up of docs/postgresql.md on this machine: one PostgreSQL for the study and for an MLflow server, two
sweeps of real trainings that share both; one of them is killed, and so is the server."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from functools import partial
from pathlib import Path

import mlflow
import pytest

from sweeper.records import journal, record
from sweeper.records.events import EpochReported, TrialEnded

from .. import ports
from ..postgresql import PASSWORD, USER, driven
from ..watched import until

TRIALS, EPOCHS = 6, 6
REAL = (
    *("hparams=search", "dataset.train_size=200", f"trainer.epochs={EPOCHS}", "trainer.checkpoint=0", "seed=0"),
    *("hydra/sweeper/pruner=none", "hydra.sweeper.n_jobs=1", f"hydra.sweeper.n_trials={TRIALS}"),
    *("hydra.sweeper.study_name=digits", "tracking.experiment=shared"),
    "hydra.sweeper.heartbeat=60",  # until then no sweep can end, and the server is there again
)


class MlflowServer:
    """With its runs in PostgreSQL and its artifacts in a folder."""

    def __init__(self, store, folder):
        self._store, self._folder, self._process = store, folder, None
        self._port = str(ports.free())
        self.uri = f"http://127.0.0.1:{self._port}"

    def start(self):
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", self._port]
        command += ["--workers", "1", "--artifacts-destination", str(self._folder / "artifacts")]
        ours = {"MLFLOW_BACKEND_STORE_URI": self._store, "PGUSER": USER, "PGPASSWORD": PASSWORD}
        with open(self._folder / "server.log", "a") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env=os.environ | ours, start_new_session=True
            )
        deadline = time.monotonic() + 300
        while True:
            assert self._process.poll() is None, (self._folder / "server.log").read_text()
            try:
                return urllib.request.urlopen(f"{self.uri}/health", timeout=5).close()
            except OSError:
                assert time.monotonic() < deadline, "the server did not come up"
                time.sleep(0.2)

    def kill(self):
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@pytest.fixture
def server(postgresql, tmp_path_factory):
    """Its folder is not that of the sweeps."""
    store = driven(nameless(postgresql.make("mlflow")))
    server = MlflowServer(store, tmp_path_factory.mktemp("mlflow"))
    server.start()
    yield server
    server.kill()


def nameless(address):
    """Without user and password, which PostgreSQL's library reads from the environment."""
    return address.replace(f"{USER}:{PASSWORD}@", "")


def epochs(name, trial=None):
    """(trial, epoch) of those that a sweep has trained."""
    if not Path(name, journal.NAME).exists():
        return []
    events = journal.read(Path(name))
    return [
        (event.trial, event.epoch)
        for event in events
        if isinstance(event, EpochReported) and trial in (None, event.trial)
    ]


def stopped_in_the_middle(lost):
    """Whether it stands still, and trains a trial of which some epochs are told."""
    lost.send_signal(signal.SIGSTOP)
    if any(2 <= len(epochs("lost", trial.number)) < EPOCHS for trial in record.read(Path("lost")).open):
        return True
    lost.send_signal(signal.SIGCONT)
    return False


@pytest.mark.slow
def test_two_sweeps_share_a_study_and_a_server_and_lose_nothing(start, postgresql, server, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    monkeypatch.setenv("PGUSER", USER)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    place = f"hydra.sweeper.storage={nameless(postgresql.make('studies'))}"
    lost, other = (
        start(*REAL, place, f"hydra.sweep.dir={name}", program=("-m", "sweeper")) for name in ("lost", "other")
    )
    until(lambda: epochs("lost") and epochs("other"))
    until(partial(stopped_in_the_middle, lost))
    (open_trial,) = (trial.number for trial in record.read(Path("lost")).open)
    lost.kill()
    lost.wait()
    server.kill()
    time.sleep(3)
    server.start()
    out, err = other.communicate(timeout=600)
    assert other.returncode == 0, out + err
    assert PASSWORD not in out + err
    assert "lacks a part" not in err
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]

    trained = {name: record.read(Path(name)).finished for name in ("lost", "other")}
    assert sorted(trial.number for sweep in trained.values() for trial in sweep) == list(range(TRIALS))
    taken = next(trial for trial in record.read(Path("other")).trials if trial.number == open_trial)
    assert [epoch for epoch, _, _ in taken.curve] == list(range(1, EPOCHS + 1))
    first = {trial.number: trial for trial in record.read(Path("lost")).trials}[open_trial].curve
    assert [metrics["loss"] for _, _, metrics in taken.curve[: len(first)]] == [
        metrics["loss"] for *_, metrics in first
    ]

    resumed = start(*REAL, place, "hydra.sweep.dir=lost", "hydra.sweeper.resume=lost", program=("-m", "sweeper"))
    out, err = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, out + err
    ended = [event for event in journal.read(Path("lost"), epochs=False) if isinstance(event, TrialEnded)]
    assert ended[-1].state == "TAKEN_OVER"
    assert_mlflow_has(server, trained, open_trial, tmp_path)


def assert_mlflow_has(server, trained, taken, folder):
    """A parent run a sweep, in it a run for each trial, and the best network of each sweep."""
    client = mlflow.MlflowClient(server.uri)
    runs = client.search_runs([client.get_experiment_by_name("shared").experiment_id])
    parents = {run.data.tags["sweeper.sweep"]: run for run in runs if "mlflow.parentRunId" not in run.data.tags}
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert {name: run.info.status for name, run in parents.items()} == {"lost": "FINISHED", "other": "FINISHED"}
    states = Counter(run.data.tags["sweeper.state"] for run in children)
    assert states == {"FINISHED": TRIALS, "TAKEN_OVER": 1}
    for name, trials in trained.items():
        for trial in trials:
            run = client.get_run(trial.run_id)
            assert run.data.tags["mlflow.parentRunId"] == parents[name].info.run_id
            assert [point.step for point in client.get_metric_history(trial.run_id, "val_accuracy")] == list(
                range(1, EPOCHS + 1)
            )
    (away,) = (run for run in children if run.data.tags["sweeper.state"] == "TAKEN_OVER")
    assert (away.info.status, away.data.tags["sweeper.trial"]) == ("KILLED", str(taken))
    assert "sweep other on" in away.data.tags["sweeper.reason"]
    best = record.read(Path("other")).best
    (model,) = client.get_run(best.run_id).outputs.model_outputs
    mlflow.set_tracking_uri(server.uri)
    try:
        fetched = mlflow.artifacts.download_artifacts(f"models:/{model.model_id}", dst_path=str(folder / "fetched"))
    finally:
        mlflow.set_tracking_uri(None)
    (network,) = Path(fetched).rglob("model.keras")
    assert network.read_bytes() == best.model.read_bytes()

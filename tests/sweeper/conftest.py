"""Sweeps on the disk, as a coordinator leaves them: their journals are written by the real Journal."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sweeper.records.events import EpochReported, SweepEnded, SweepStarted, TrialEnded, TrialStarted
from sweeper.records.journal import Journal

from .postgresql import Server
from .terminal import Terminal
from .watched import APP, PATIENCE, on_cluster


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory) -> Path:
    """An mlflow.db as MLflow makes it, which takes it a second or more."""
    folder = tmp_path_factory.mktemp("store")
    code = "import mlflow; mlflow.search_experiments()"
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, capture_output=True)
    return folder / "mlflow.db"


@pytest.fixture
def project(tmp_path, monkeypatch, empty_store):
    """Makes `tmp_path` the working folder, with a store like that of a project in use."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_store, tmp_path)


@pytest.fixture
def light(project) -> Callable[..., tuple[int, str]]:
    """Makes `tmp_path` the working folder; what it returns sweeps the light task there, into the folder `sweep`, and
    gives its exit code and what it printed."""

    def sweep(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, str(APP), "-m", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        return done.returncode, done.stdout + done.stderr

    return sweep


@pytest.fixture
def write_sweep(tmp_path, monkeypatch) -> Callable[..., Path]:
    """Makes `tmp_path` the working folder; what it returns writes a sweep there and gives its folder.

    outcomes: a state with a trial's values, for instance ("PRUNED", 0.5); RUNNING is started and never ends.
    """
    monkeypatch.chdir(tmp_path)

    def write(
        sweep: str,
        *outcomes: tuple,
        top: str = "multirun",
        metric: str = "val_accuracy",
        directions: tuple[str, ...] = ("maximize",),
        started: float = 1000.0,
        facts: dict | None = None,
        reason: str | None = None,
    ) -> Path:
        folder = Path(top) / sweep
        journal = Journal(folder)
        choices = {"model": "custom", "dataset": "digits"}
        command = "python -m sweeper -m"
        journal.write(SweepStarted(sweep, command, metric, directions, len(outcomes), None, started, choices))
        for trial, (state, *values) in enumerate(outcomes):
            params = {"hparams.lr": 0.001 * (trial + 1), "hparams.dropout": 0.25}
            journal.write(TrialStarted(trial, 0, params, f"train {trial}", str(trial), started))
            journal.write(EpochReported(trial, 1, 0.5, {"val_loss": 1.5}, started + 1))
            if state == "RUNNING":
                continue
            told = {"model": "custom", "dataset": "digits", "parameters": 309290, "epochs": 12} | (facts or {})
            journal.write(TrialEnded(trial, state, tuple(values) or None, reason, told, started + 2.5))
        if all(state != "RUNNING" for state, *_ in outcomes):
            journal.write(SweepEnded("FINISHED", None, None, started + 60))
        journal.close()
        return folder

    return write


@pytest.fixture
def write_run_ids() -> Callable[..., None]:
    """Writes the ledger that the MLflow mirror keeps in a sweep's folder."""

    def write(folder: Path, *run_ids: str, sweep: str = "f" * 32) -> None:
        rows = [("null", sweep), *enumerate(run_ids)]
        lines = (f'{{"trial":{trial},"attempt":0,"run_id":"{run_id}"}}\n' for trial, run_id in rows)
        (folder / "mlflow.jsonl").write_text("".join(lines))

    return write


@pytest.fixture
def executor(request) -> str:
    """What runs the trials of `start` and `sweep`; see `watched.EACH_EXECUTOR`."""
    return getattr(request, "param", "local")


@pytest.fixture(scope="session")
def nodes():
    """A Ray cluster with a node of two CPUs, to which a test may add others.

    It listens on 127.0.0.1 only, obeys who has a token that is nowhere on the disk, and tells nobody of its use.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "5" * 64}
    utils = pytest.importorskip("ray.cluster_utils", reason="needs Ray: python -m pip install 'sweeper[ray]'")
    cluster = utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    yield cluster
    cluster.shutdown()


@pytest.fixture
def start(project, executor, request):
    """Starts a sweep, of the light task unless said, in the folder of the test; it is gone afterwards."""
    started = []
    chosen = on_cluster(request.getfixturevalue("nodes")) if executor == "ray" else ()

    def start(*arguments, program=(str(APP),)):
        command = [sys.executable, *program, "-m", *chosen, *arguments]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def sweep(start):
    """Runs a sweep to its end; its exit code and what it printed."""

    def sweep(*arguments):
        process = start(*arguments)
        out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out + err

    return sweep


@pytest.fixture
def terminal():
    """Types a command on a terminal, which is gone afterwards; see `Terminal`."""
    opened = []

    def typed(*arguments, **keys):
        opened.append(Terminal(*arguments, **keys))
        return opened[-1]

    yield typed
    for each in opened:
        each.close()


@pytest.fixture(scope="session")
def postgresql():
    """A server, which a test asks for databases of its own."""
    server = Server()
    yield server
    server.close()

"""The mirror against real MLflow stores: what one sees there afterwards, and what happens when there is none."""

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from itertools import pairwise

import pytest
import yaml

from sweeper.commands.replay import replay
from sweeper.records import journal, record
from sweeper.records.events import EpochReported, SweepEnded, SweepStarted, TrialEnded, TrialStarted
from sweeper.tracking import store
from sweeper.tracking.mirror import Mirror

from .. import ports

EXPERIMENT = "custom-digits"
T0 = 1_700_000_000.0  # seconds since 1970
EPOCHS = 3


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """An empty database of MLflow; its migrations take longer than a test."""
    path = tmp_path_factory.mktemp("database") / "mlflow.db"
    store.connect(f"sqlite:///{path}", "unused")
    return path


@pytest.fixture
def fresh_folder(tmp_path, monkeypatch):
    """A sweep's folder in a working folder like a fresh checkout, which has no database yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "mlruns").mkdir()
    (tmp_path / "mlruns" / ".gitkeep").touch()
    folder = tmp_path / "multirun" / "monday"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def folder(fresh_folder, database):
    shutil.copy(database, "mlflow.db")
    return fresh_folder


@pytest.fixture
def server(tmp_path, database, monkeypatch):
    """An MLflow server of its own; store.resolve leads to it."""
    shutil.copy(database, tmp_path / "server.db")
    port = str(ports.free())
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port, "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{tmp_path}/server.db",
        "--artifacts-destination",
        str(tmp_path / "kept"),
    ]
    uri = f"http://127.0.0.1:{port}"
    with open(tmp_path / "server.log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_for(f"{uri}/health", process)
            monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(address, process):
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server has ended"
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail("the server did not come up within 300 seconds")


def sweep_started(n_trials=4):
    return SweepStarted(
        "monday", "python -m sweeper -m hparams=search", "val_accuracy", ("maximize",), n_trials, "c0ffee", T0
    )


def trial_started(number, attempt=0, lr=0.01):
    command = f"python -m sweeper hparams.lr={lr}"
    return TrialStarted(number, attempt, {"hparams.lr": lr, "+model": "custom"}, command, str(number), T0 + 1)


def epochs(number, count=EPOCHS):
    return [
        EpochReported(number, n, n / 10, {"val_accuracy": n / 10, "loss": 1 / n}, T0 + 1 + n)
        for n in range(1, count + 1)
    ]


def ended(number, state, values=None, reason=None, facts=None):
    return TrialEnded(number, state, values, reason, facts or {}, T0 + 10)


def whole_sweep():
    """Finished, pruned, failed, and lost once before it finished as the best."""
    return [
        sweep_started(),
        *(trial_started(0), *epochs(0), ended(0, "FINISHED", (0.3,), facts={"parameters": 309290, "best_epoch": 3})),
        *(trial_started(1), *epochs(1, 1), ended(1, "PRUNED", (0.1,), "behind the other trials at epoch 1")),
        *(trial_started(2), ended(2, "FAILED", None, "Diverged: the loss became nan")),
        *(trial_started(3), *epochs(3, 1), ended(3, "CRASHED", None, "its process was lost")),
        *(trial_started(3, attempt=1, lr=0.02), *epochs(3), ended(3, "FINISHED", (0.5,))),
        SweepEnded("FINISHED", None, 3, T0 + 20),
    ]


def write(folder, events):
    """As a sweep does it: to the journal first. One that has begun goes on."""
    record = journal.Journal(folder)
    backlog = (folder / journal.NAME).stat().st_size
    mirror = Mirror(folder, experiment=EXPERIMENT, uri=store.resolve(None), backlog=backlog)
    for event in events:
        record.write(event)
        mirror.write(event)
    record.close()
    return mirror.close(timeout=60)


def client():
    return store.connect(store.resolve(None), EXPERIMENT)[0]


def stored():
    """Every run by name."""
    mlflow = client()
    experiment = mlflow.get_experiment_by_name(EXPERIMENT)
    runs = mlflow.search_runs([experiment.experiment_id])
    named = {run.info.run_name: run for run in runs}
    assert len(named) == len(runs), "two runs of one name"
    return named


def history(run, metric):
    points = client().get_metric_history(run.info.run_id, metric)
    return [(point.step, point.value) for point in sorted(points, key=lambda point: point.step)]


def read_artifact(run, name):
    from mlflow.artifacts import load_text

    return load_text(f"{run.info.artifact_uri}/{name}")


def test_a_sweep_is_a_tree_of_runs_whose_states_can_be_told_apart(folder):
    assert write(folder, whole_sweep()) is None
    runs = stored()
    sweep = runs.pop("monday")
    assert {name: (run.info.status, run.data.tags["sweeper.state"]) for name, run in runs.items()} == {
        "trial 0 of monday": ("FINISHED", "FINISHED"),
        "trial 1 of monday": ("KILLED", "PRUNED"),
        "trial 2 of monday": ("FAILED", "FAILED"),
        "trial 3 of monday": ("FAILED", "CRASHED"),
        "trial 3 retry 1 of monday": ("FINISHED", "FINISHED"),
    }
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {sweep.info.run_id}
    assert runs["trial 2 of monday"].data.tags["sweeper.reason"] == "Diverged: the loss became nan"
    assert runs["trial 3 retry 1 of monday"].data.tags["sweeper.command"] == "python -m sweeper hparams.lr=0.02"
    assert {run.data.tags["mlflow.source.git.commit"] for run in runs.values()} == {"c0ffee"}
    assert (runs["trial 0 of monday"].info.start_time, runs["trial 0 of monday"].info.end_time) == (
        (T0 + 1) * 1000,
        (T0 + 10) * 1000,
    )


def test_the_run_of_the_sweep_names_the_best_trial_and_holds_the_results(folder):
    (folder / "leaderboard.csv").write_text("rank,trial\n1,3\n")
    write(folder, whole_sweep())
    sweep = stored()["monday"]
    assert sweep.info.status == "FINISHED"
    assert sweep.data.metrics == {"best_trial": 3, "best_objective": 0.5, "val_accuracy": 0.5}
    assert sweep.data.params == {"n_trials": "4", "metric": "val_accuracy", "directions": '["maximize"]'}
    assert (sweep.data.tags["best.hparams.lr"], sweep.data.tags["best.model"]) == ("0.02", "custom")
    assert read_artifact(sweep, "leaderboard.csv") == "rank,trial\n1,3\n"
    assert read_artifact(sweep, "trials.jsonl") == (folder / "trials.jsonl").read_text()


def test_a_trial_has_every_epoch_its_objective_and_its_facts(folder):
    write(folder, whole_sweep())
    run = stored()["trial 0 of monday"]
    assert history(run, "val_accuracy") == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert history(run, "loss") == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
    assert history(run, "objective") == [(0, 0.3)]
    assert history(run, "trial/parameters") == [(0, 309290)]


def test_several_objectives_are_metrics_of_their_own(folder):
    write(folder, [sweep_started(), trial_started(0), ended(0, "FINISHED", (0.9, 120.0))])
    assert stored()["trial 0 of monday"].data.metrics == {"objective_0": 0.9, "objective_1": 120.0}


def test_a_trial_holds_its_sampled_params_and_its_whole_config(folder):
    config = {
        "hparams": {"lr": 0.010, "dropout": None},
        "trainer": {"epochs": 3, "note": "x" * 600},
        "filters": [8, 16],
    }
    (folder / "0").mkdir()
    (folder / "0" / "config.yaml").write_text(yaml.safe_dump(config))
    write(folder, [sweep_started(), trial_started(0), ended(0, "FINISHED", (0.9,))])
    run = stored()["trial 0 of monday"]
    expected = {"hparams.lr": "0.01", "model": "custom", "hparams.dropout": "null", "trainer.epochs": "3"}
    expected |= {"trainer.note": "x" * 500, "filters": "[8, 16]"}
    assert run.data.params == expected
    assert yaml.safe_load(read_artifact(run, "config.yaml")) == config


BOMB = "a: &a [1,1]\n" + "".join(f"{b}: &{b} [*{a}{f',*{a}' * 9}]\n" for a, b in pairwise("abcdefghi"))


@pytest.mark.parametrize("content", [BOMB, "a: [", "7", "\0", None], ids=["bomb", "torn", "number", "null", "pipe"])
def test_a_config_that_cannot_be_read_costs_its_run_the_params_alone(folder, content, caplog):
    (folder / "0").mkdir()
    config = folder / "0" / "config.yaml"
    os.mkfifo(config) if content is None else config.write_text(content)
    assert write(folder, [sweep_started(), trial_started(0), ended(0, "FINISHED", (0.9,))]) is None
    run = stored()["trial 0 of monday"]
    assert (run.info.status, run.data.tags["sweeper.state"]) == ("FINISHED", "FINISHED")
    assert run.data.params == {"hparams.lr": "0.01", "model": "custom"}
    assert "config.yaml is damaged" in caplog.text


@pytest.mark.slow
def test_a_server_gets_no_more_in_a_call_than_it_takes(folder, server):
    layers = {"layer": {str(number): number for number in range(150)}}
    (folder / "0").mkdir()
    (folder / "0" / "config.yaml").write_text(yaml.safe_dump(layers))
    long = [EpochReported(0, epoch, 0.5, {"loss": 1.0, "lr": 0.1}, T0 + epoch) for epoch in range(1, 701)]
    assert write(folder, [sweep_started(), trial_started(0), *long, ended(0, "FINISHED", (0.5,))]) is None
    run = stored()["trial 0 of monday"]
    assert [len(history(run, name)) for name in ("val_accuracy", "loss", "lr")] == [700] * 3
    assert len(run.data.params) == 152
    assert yaml.safe_load(read_artifact(run, "config.yaml")) == layers


def test_the_curve_of_a_running_trial_can_be_seen(folder):
    mirror = Mirror(folder, experiment=EXPERIMENT, uri=store.resolve(None))
    for event in [sweep_started(), trial_started(0), *epochs(0)]:
        mirror.write(event)
    assert mirror.wait(timeout=60)
    run = stored()["trial 0 of monday"]
    assert (run.info.status, len(history(run, "loss"))) == ("RUNNING", EPOCHS)
    assert mirror.close(timeout=60) is None


def test_the_ledger_leads_from_a_trial_to_the_run_of_its_last_attempt(folder):
    write(folder, whole_sweep())
    runs, sweep = stored(), record.read(folder)
    assert sweep.run_id == runs["monday"].info.run_id
    assert sweep.trials[3].run_id == runs["trial 3 retry 1 of monday"].info.run_id


def test_trials_that_a_sweep_left_running_end_with_it_as_interrupted(folder):
    write(folder, [sweep_started(), trial_started(0), *epochs(0), SweepEnded("INTERRUPTED", None, None, T0 + 9)])
    runs = stored()
    assert {run.info.status for run in runs.values()} == {"KILLED"}
    assert runs["trial 0 of monday"].data.tags["sweeper.state"] == "INTERRUPTED"
    assert len(history(runs["trial 0 of monday"], "loss")) == EPOCHS


def test_a_resumed_sweep_goes_on_in_the_same_run(folder):
    write(folder, [sweep_started(), trial_started(0), *epochs(0, 1)])
    write(folder, [sweep_started(n_trials=8), trial_started(0, attempt=1), ended(0, "FINISHED", (0.9,))])
    runs = stored()
    assert {name: run.data.tags["sweeper.state"] for name, run in runs.items()} == {
        "monday": "RUNNING",
        "trial 0 of monday": "INTERRUPTED",
        "trial 0 retry 1 of monday": "FINISHED",
    }


def test_replaying_a_mirrored_sweep_changes_nothing(folder):
    write(folder, whole_sweep())
    before = {name: (run.data.to_dictionary(), history(run, "loss")) for name, run in stored().items()}
    replay(folder, experiment=EXPERIMENT, uri=store.resolve(None))
    assert {name: (run.data.to_dictionary(), history(run, "loss")) for name, run in stored().items()} == before


def test_a_replay_fills_in_what_mlflow_missed(folder):
    events = whole_sweep()
    write(folder, events[:4])
    lost = journal.Journal(folder)  # MLflow was away for the rest
    for event in events[4:]:
        lost.write(event)
    lost.close()
    replay(folder, experiment=EXPERIMENT, uri=store.resolve(None))
    runs = stored()
    assert {run.data.tags["sweeper.state"] for run in runs.values()} == {"FINISHED", "PRUNED", "FAILED", "CRASHED"}
    assert history(runs["trial 0 of monday"], "loss") == [(1, 1.0), (2, 0.5), (3, 1 / 3)]


def test_a_run_deleted_by_hand_costs_no_other_run_anything(folder):
    mirror = Mirror(folder, experiment=EXPERIMENT, uri=store.resolve(None))
    for event in [sweep_started(), trial_started(0), trial_started(1)]:
        mirror.write(event)
    assert mirror.wait(timeout=60)
    client().delete_run(stored()["trial 0 of monday"].info.run_id)
    for event in [*epochs(0), *epochs(1), ended(0, "FINISHED", (0.1,)), ended(1, "FINISHED", (0.2,))]:
        mirror.write(event)
    assert "refused" in mirror.close(timeout=60)
    run = stored()["trial 1 of monday"]
    assert (run.info.status, len(history(run, "loss"))) == ("FINISHED", EPOCHS)


def test_an_unreachable_server_neither_delays_nor_fails_a_sweep(folder, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    start = time.monotonic()
    mirror = Mirror(folder, experiment=EXPERIMENT, uri=store.resolve(None))
    for event in [sweep_started(), trial_started(0), *epochs(0, 1000), ended(0, "FINISHED", (0.5,))]:
        mirror.write(event)
    assert time.monotonic() - start < 10  # one event a second if each waited
    with caplog.at_level(logging.WARNING, logger="sweeper"):
        lacking = mirror.close(timeout=30)
    assert time.monotonic() - start < 30
    assert "MLflow at http://***@127.0.0.1:9 lacks a part of this sweep" in lacking
    assert "Connection refused" in lacking
    assert "trials.jsonl" in lacking
    assert len([line for line in caplog.records if line.name == "sweeper.tracking.mirror"]) == 1
    assert "secret" not in lacking + caplog.text


def test_events_wait_for_a_server_that_comes_back(folder):
    blocked = folder.parent.parent / "later"
    blocked.write_text("a file where the database's folder shall be")
    uri = f"sqlite:///{blocked}/mlflow.db"
    mirror = Mirror(folder, experiment=EXPERIMENT, uri=uri)
    for event in whole_sweep()[:4]:
        mirror.write(event)
    assert not mirror.wait(timeout=2)
    blocked.unlink()
    assert mirror.wait(timeout=60)
    assert mirror.close(timeout=60) is None
    mlflow, experiment_id = store.connect(uri, EXPERIMENT)
    assert len(mlflow.search_runs([experiment_id])) == 2


def test_closing_gives_up_in_time_when_mlflow_hangs(folder, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, never answers
        mirror = Mirror(folder, experiment=EXPERIMENT, uri=f"http://127.0.0.1:{silent.getsockname()[1]}")
        mirror.write(sweep_started())
        start = time.monotonic()
        assert "after 0.5 seconds" in mirror.close(timeout=0.5)
        assert time.monotonic() - start < 20


def test_passwords_reach_neither_params_tags_nor_artifacts(folder):
    (folder / "0").mkdir()
    (folder / "0" / "config.yaml").write_text("tracking:\n  uri: postgresql://me:secret@db/mlflow\n")
    started = SweepStarted("monday", "sweep tracking.uri=http://me:secret@host", "loss", ("minimize",), 1, None, T0)
    write(folder, [started, trial_started(0), ended(0, "FINISHED", (0.1,)), SweepEnded("FINISHED", None, 0, T0 + 11)])
    runs = stored()
    texts = [json.dumps(run.data.to_dictionary()) for run in runs.values()]
    texts += [read_artifact(runs["trial 0 of monday"], "config.yaml"), read_artifact(runs["monday"], "trials.jsonl")]
    assert runs["trial 0 of monday"].data.params["tracking.uri"] == "postgresql://***@db/mlflow"
    assert not any("secret" in text for text in texts)


@pytest.mark.parametrize(
    ("environment", "configured", "uri"),
    [
        (None, None, "sqlite:///{cwd}/mlflow.db"),
        (None, "sqlite:///runs.db", "sqlite:///{cwd}/runs.db"),
        (None, "sqlite:////data/runs.db", "sqlite:////data/runs.db"),
        (None, "http://host:5000", "http://host:5000"),
        ("http://other:5000", "http://host:5000", "http://other:5000"),
    ],
)
def test_the_environment_wins_over_the_config_and_that_over_mlflows_default(
    folder, monkeypatch, environment, configured, uri
):
    if environment:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", environment)
    assert store.resolve(configured) == uri.format(cwd=folder.parent.parent)


def test_a_plain_mlflow_ui_in_the_working_folder_sees_the_same_runs(fresh_folder):
    write(
        fresh_folder,
        [sweep_started(), trial_started(0), ended(0, "FINISHED", (0.1,)), SweepEnded("FINISHED", None, 0, T0)],
    )
    from mlflow import MlflowClient

    default = MlflowClient()  # no URI: MLflow chooses, and an mlruns/ with a .gitkeep must not make it choose files
    experiment = default.get_experiment_by_name(EXPERIMENT)
    assert len(default.search_runs([experiment.experiment_id])) == 2
    assert experiment.artifact_location == str(fresh_folder.parent.parent / "mlruns" / experiment.experiment_id)


@pytest.mark.slow
def test_two_processes_may_be_the_first_to_use_a_database(fresh_folder):
    script = (
        "from sweeper.tracking import store;"
        f"client, experiment_id = store.connect(store.resolve(None), {EXPERIMENT!r});"
        "print(client.create_run(experiment_id).info.run_id)"
    )
    both = [subprocess.Popen([sys.executable, "-c", script], text=True, stderr=subprocess.PIPE) for _ in range(2)]
    errors = [process.communicate(timeout=300)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert len(stored()) == 2


def test_system_metrics_are_logged_to_the_sweeps_run_when_wanted(folder):
    mirror = Mirror(folder, experiment=EXPERIMENT, uri=store.resolve(None), system_metrics=True)
    mirror.write(sweep_started())
    assert mirror.wait(60)
    deadline = time.monotonic() + 60
    while "system/cpu_utilization_percentage" not in stored()["monday"].data.metrics:
        assert time.monotonic() < deadline, "no system metrics"
        time.sleep(0.5)
    mirror.write(SweepEnded("FINISHED", None, None, T0 + 20))
    assert mirror.close(60) is None

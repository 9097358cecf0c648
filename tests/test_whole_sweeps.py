"""Sweeps as a user types them, `-m hparams=search_schedule` above all: real slots, trainings, optimizers, schedules."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import psutil
import pytest
import yaml
from omegaconf import OmegaConf

from sweeper.ranking import atlas, axes
from sweeper.records import record

CONF = Path(__file__).resolve().parents[1] / "conf"
TRIALS = 6
SMALL = ["dataset.train_size=100", "trainer.epochs=1", "model.filters=4", "hydra.sweep.dir=sweep"]
ONE_TRIAL = [sys.executable, "-m", "sweeper", "-m", "hparams=search", *SMALL, "hydra.sweeper.n_trials=1"]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """The folder of such a sweep."""
    here = tmp_path_factory.mktemp("schedules")
    settings = ["hydra.sweep.dir=sweep", f"hydra.sweeper.n_trials={TRIALS}", "hydra/sweeper/pruner=none"]
    values = ["dataset.train_size=300", "trainer.epochs=2", "model.filters=4", "seed=1"]
    command = [sys.executable, "-m", "sweeper", "-m", "hparams=search_schedule", *settings, *values]
    subprocess.run(command, cwd=here, check=True, timeout=300)
    return here / "sweep"


@pytest.mark.slow
def test_every_trial_trains_with_the_optimizer_and_the_schedule_that_it_drew(sweep):
    trials = record.read(sweep).trials
    assert [trial.state for trial in trials] == ["FINISHED"] * TRIALS
    for trial in trials:
        trained = OmegaConf.load(trial.folder / record.CONFIG)
        for group in ("optimizer", "schedule"):
            chosen = yaml.safe_load((CONF / group / f"{trial.params[group]}.yaml").read_text())
            assert trained[group]._target_ == chosen["_target_"]
        assert trained.optimizer.learning_rate == trained.schedule.lr == trial.params["hparams.lr"]
    assert len({trial.params["optimizer"] for trial in trials}) > 1


@pytest.mark.slow
def test_each_option_draws_from_its_own_ranges_and_from_no_others(sweep):
    for trial in record.read(sweep).trials:
        optimizer, schedule = (
            yaml.safe_load((CONF / group / f"{trial.params[group]}.yaml").read_text()).get("space", {})
            for group in ("optimizer", "schedule")
        )
        low, high = map(float, re.search(r"interval\(([^,]+), ([^)]+)\)", optimizer["/hparams.lr"]).groups())
        assert low <= trial.params["hparams.lr"] <= high
        assert {key for key in trial.params if key.startswith("schedule.")} == {f"schedule.{key}" for key in schedule}


@pytest.mark.slow
def test_the_best_trial_meets_the_test_images_and_mlflow_can_compare_the_choices(sweep):
    found = record.read(sweep)
    best = max(found.trials, key=lambda trial: trial.values[0])
    assert [trial.number for trial in found.trials if trial.tested] == [best.number]
    client = mlflow.MlflowClient(f"sqlite:///{sweep.parent}/mlflow.db")
    for trial in found.trials:
        assert client.get_run(trial.run_id).data.params["optimizer"] == trial.params["optimizer"]
    logged = client.get_run(best.run_id).data.metrics
    assert logged["test_accuracy"] == pytest.approx(best.tested.metrics["test_accuracy"])


@pytest.mark.slow
def test_an_architecture_search_trains_networks_that_differ_and_maps_them(tmp_path):
    searched = [
        "hparams=search_architecture",
        "model=custom,hierarchy",
        "hydra/sweeper/pruner=none",
        "hydra.sweeper.n_trials=9",
        "hydra.sweeper.sampler.n_startup_trials=3",
        "hydra.sweep.dir=sweep",
    ]
    values = ["dataset.train_size=100", "trainer.epochs=1"]
    subprocess.run([sys.executable, "-m", "sweeper", "-m", *searched, *values], cwd=tmp_path, check=True, timeout=300)
    sweep = record.read(tmp_path / "sweep")
    trials = sweep.trials
    assert [trial.state for trial in trials] == ["FINISHED"] * 9
    for trial in trials:
        trained = OmegaConf.load(trial.folder / record.CONFIG).model
        assert f".{trial.params['model']}." in trained._target_
        drawn = {key.removeprefix("model."): value for key, value in trial.params.items() if key.startswith("model.")}
        assert set(drawn) == set(trained.space.architecture)
        assert {key: trained[key] for key in drawn} == drawn
    sizes = [trial.facts["parameters"] for trial in trials]
    assert max(sizes) > 10 * min(sizes)
    assert (tmp_path / "sweep/slots/pricing.log").exists()  # it was asked what networks cost
    begun = [one for one in psutil.process_iter(["cwd"]) if one.info["cwd"] == str(tmp_path)]
    _, left = psutil.wait_procs(begun, timeout=10)
    assert not left
    elites = [trial for _, trial in atlas.of(sweep, axes.of(sweep)).elites]
    assert all(trial.model.exists() for trial in elites)

    verify = [sys.executable, "-m", "sweeper", "verify", "--cells", "1", "--sweep", "sweep"]
    said = subprocess.run(verify, cwd=tmp_path, check=True, timeout=300, capture_output=True, text=True).stdout
    verified = record.read(tmp_path / "sweep")
    assert [trial.state for trial in verified.trials] == ["FINISHED"] * 10
    assert f"{verified.trials[9].values[0]:.4f}" in said
    assert axes.recorded(verified).keys() == {"parameters", "mflops"}  # SAIL is its sampler still


@pytest.mark.slow
def test_one_slot_tests_the_best_network_and_logs_it(tmp_path):
    """Both happen in a slot, one after the other: with one slot, as on a machine with one GPU, it is the same one."""
    subprocess.run(ONE_TRIAL, cwd=tmp_path, check=True, timeout=300)
    (trial,) = record.read(tmp_path / "sweep").trials
    assert trial.tested
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    assert [model.name for model in client.search_logged_models([client.get_run(trial.run_id).info.experiment_id])]
    assert "test_accuracy" in client.get_run(trial.run_id).data.metrics


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_to_be_stopped_while_the_best_network_is_tested_leaves_a_finished_sweep(tmp_path, number):
    held = tmp_path / "sweep" / "0" / "test.yaml"
    held.parent.mkdir(parents=True)
    os.mkfifo(held)  # which the test will write into, and nobody reads
    process = subprocess.Popen(
        ONE_TRIAL,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job is deaf to it
    )
    deadline = time.monotonic() + 300
    while not (tmp_path / "sweep" / "leaderboard.csv").exists():  # written right before the test
        assert time.monotonic() < deadline, process.kill()
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=300)
    assert "Interrupted: the best network was neither tested nor logged to MLflow." in err, out + err
    sweep = record.read(tmp_path / "sweep")
    assert (process.returncode, sweep.ended.state) == (0, "FINISHED")
    assert [(trial.state, trial.tested) for trial in sweep.trials] == [("FINISHED", None)]


@pytest.mark.slow
def test_a_network_too_large_and_a_loss_that_explodes_are_told_apart_and_cost_the_others_nothing(tmp_path):
    searched = ["model.filters=4,1500", "hparams.lr=1e-3,1e9", "hydra/sweeper/sampler=grid", "hydra.sweeper.n_jobs=1"]
    limits = ["hydra.sweeper.executor.memory_limit=1.5", "hydra.sweeper.max_failure_rate=1", "hydra.sweep.dir=sweep"]
    values = ["dataset.train_size=300", "trainer.epochs=1", "optimizer=sgd", "hydra/sweeper/pruner=none"]
    command = [sys.executable, "-m", "sweeper", "-m", *searched, *limits, *values]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    states = {tuple(trial.params.values()): trial.state for trial in record.read(tmp_path / "sweep").trials}
    assert states == {
        (4, 1e-3): "FINISHED",
        (4, 1e9): "DIVERGED",
        (1500, 1e-3): "OUT_OF_MEMORY",
        (1500, 1e9): "OUT_OF_MEMORY",
    }

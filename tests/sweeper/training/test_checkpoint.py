"""A training whose process died goes on after its last checkpoint, and ends as if nothing had happened."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import keras
import mlflow
import numpy as np
import pytest

from sweeper.config.compose import composed
from sweeper.records import journal, record
from sweeper.records.events import EpochReported, TrialStarted
from sweeper.tracking import store
from sweeper.training import checkpoint, trial

SMALL = ["dataset.train_size=200", "model.filters=4", "trainer.checkpoint=0"]
EPOCHS = 80  # of a training that is killed: enough that it does not end first
RECIPES = [
    ["optimizer=adamw", "schedule=cosine", "augment=strong"],
    ["optimizer=sgd", "schedule=plateau", "schedule.patience=1", "trainer.ema=0.9"],
    ["optimizer=schedule_free", "schedule=constant"],
    ["optimizer=muon", "schedule=one_cycle", "trainer.label_smoothing=0.1", "trainer.class_weights=balanced"],
    ["optimizer=adam", "trainer.precision=mixed_float16", "trainer.patience=4"],
]


def config(*overrides):
    return composed([*SMALL, "trainer.epochs=5", *overrides])


def broken_off(cfg, folder, after):
    """The epochs heard of a training that ends in the middle of the epoch after these."""
    heard = []

    def report(epoch, value, metrics):
        heard.append(metrics)
        if epoch > after:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        trial.run(cfg, report, folder)
    return heard


def weights(folder):
    return keras.models.load_model(folder / "model.keras").get_weights()


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe[0])
def test_a_training_that_went_on_is_the_training_that_was_never_broken_off(recipe, tmp_path):
    cfg, whole, parted = config(*recipe), tmp_path / "whole", tmp_path / "parted"
    curve, again = [], []
    expected = trial.run(cfg, lambda epoch, value, metrics: curve.append(metrics), whole)
    broken_off(cfg, parted, after=2)
    result = trial.run(cfg, lambda epoch, value, metrics: again.append(metrics), parted)
    assert again == curve
    assert (result.values, untimed(result)) == (expected.values, untimed(expected))
    for one, other in zip(weights(parted), weights(whole), strict=True):
        np.testing.assert_array_equal(one, other)


def untimed(result):
    return result.facts | {"train_seconds": None}


def test_what_was_trained_is_not_trained_again(tmp_path):
    cfg = config()
    broken_off(cfg, tmp_path, after=3)
    saved = checkpoint.read(tmp_path)
    assert len(saved.curve) == 3
    checkpoint.write(tmp_path, replace(saved, curve=[metrics | {"val_accuracy": 2.0} for metrics in saved.curve]))
    heard = []
    trial.run(cfg, lambda epoch, value, metrics: heard.append(value), tmp_path)
    assert heard[:3] == [2.0] * 3
    assert len(heard) == 5
    assert max(heard[3:]) <= 1


@pytest.mark.slow
def test_another_config_starts_from_the_beginning(tmp_path):
    broken_off(config(), tmp_path, after=2)
    result = trial.run(config("seed=1"), folder=tmp_path)
    assert result.value == trial.run(config("seed=1"), folder=tmp_path / "fresh").value


def test_a_damaged_checkpoint_is_none(tmp_path):
    assert checkpoint.read(tmp_path) is None
    broken_off(config(), tmp_path, after=1)
    path = tmp_path / checkpoint.NAME
    whole = path.read_bytes()
    for damaged in (b"", b"nothing", whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        assert checkpoint.read(tmp_path) is None


@pytest.mark.slow
def test_a_network_that_was_changed_meanwhile_is_trained_from_the_start(tmp_path, caplog):
    cfg = config()
    broken_off(cfg, tmp_path, after=2)
    saved = checkpoint.read(tmp_path)
    checkpoint.write(tmp_path, replace(saved, network=saved.network[:-1]))
    heard = []
    trial.run(cfg, lambda epoch, value, metrics: heard.append(epoch), tmp_path)
    assert heard == [1, 2, 3, 4, 5]
    assert "The network was changed" in caplog.text


def test_a_half_written_checkpoint_goes_with_the_whole_one(tmp_path, monkeypatch):
    written = checkpoint.Checkpoint([], [], [], [])
    checkpoint.write(tmp_path, written)
    monkeypatch.setattr(np, "savez", lambda file, **arrays: file.write(b"half") and os.replace("nowhere", "x"))
    with pytest.raises(OSError, match="nowhere"):
        checkpoint.write(tmp_path, written)
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.NAME]
    (tmp_path / "new_checkpoint.npz").write_bytes(b"half")  # of a process that was killed
    checkpoint.delete(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_disk_that_takes_no_checkpoint_ends_no_training(tmp_path, monkeypatch, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "write", full)
    assert trial.run(config(), folder=tmp_path).facts["epochs"] == 5
    assert "No space left on device" in caplog.text


def start(folder, *overrides):
    command = [sys.executable, "-m", "sweeper", *SMALL, f"trainer.epochs={EPOCHS}", "hydra.run.dir=run", *overrides]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Where a training in the folder `run` was killed after some epochs."""
    here = tmp_path_factory.mktemp("killed")
    training, deadline = start(here), time.monotonic() + 300
    while not (here / "run" / checkpoint.NAME).exists():
        assert time.monotonic() < deadline, training.communicate()
        time.sleep(0.01)
    os.kill(training.pid, signal.SIGKILL)
    training.communicate()
    assert not (here / "run" / "model.keras").exists()
    return here


@pytest.mark.slow
def test_a_killed_training_goes_on_with_the_same_command(killed):
    _, refused = start(killed, "seed=1").communicate(timeout=300)
    run = killed / "run"
    assert f"{run} holds a training with other values, those of {run}/config.yaml. Give the same ones" in refused
    out, err = start(killed).communicate(timeout=300)
    (found,) = record.read(killed / "run").trials
    assert (found.state, found.attempt) == ("FINISHED", 1), err
    assert [epoch for epoch, *_ in found.curve] == list(range(1, EPOCHS + 1))
    expected = trial.run(config(f"trainer.epochs={EPOCHS}"), folder=killed / "whole")
    assert found.values == (expected.value,)
    assert "1 finished" in out
    assert not (killed / "run" / checkpoint.NAME).exists()

    trained = [event for event in journal.read(killed / "run") if isinstance(event, EpochReported | TrialStarted)]
    second = max(number for number, event in enumerate(trained) if isinstance(event, TrialStarted))
    assert second > 1  # epochs of the first attempt
    _, experiment_id = store.connect(f"sqlite:///{killed}/mlflow.db", "digits")
    states = {
        run.data.tags["sweeper.attempt"]: run.data.tags["sweeper.state"]
        for run in mlflow.MlflowClient(f"sqlite:///{killed}/mlflow.db").search_runs([experiment_id])
        if "sweeper.attempt" in run.data.tags
    }
    assert states["1"] == "FINISHED"
    assert states.get("0", "INTERRUPTED") == "INTERRUPTED"  # MLflow may not have heard of it before the kill

    _, refused = start(killed).communicate(timeout=300)
    assert "run holds a training that is done" in refused

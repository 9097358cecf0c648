"""The best network meets the test split: the figures are those of its answers, and they reach journal and MLflow."""

import subprocess
import sys
from pathlib import Path

import keras
import mlflow
import numpy as np
import pytest

from sweeper.datasets import digits
from sweeper.records import record
from sweeper.training import evaluation
from sweeper.training.evaluation import Evaluation

CURVE = ["dataset.train_size=300", "trainer.epochs=2", "model.filters=4"]


def one_hot(numbers, classes):
    return np.eye(classes, dtype=np.float32)[numbers]


def test_an_evaluation_counts_by_the_likeliest_class_of_the_label():
    labels = np.float32([[0.6, 0.4, 0], [0.1, 0.2, 0.7], [0, 1, 0], [0.5, 0.3, 0.2]])
    evaluated = Evaluation(labels, one_hot([0, 2, 2, 1], 3))
    assert evaluated.accuracy == 0.5
    np.testing.assert_array_equal(evaluated.confusion(), [[1, 1, 0], [0, 0, 1], [0, 0, 1]])


def test_the_loss_is_the_cross_entropy():
    labels, answers = np.float32([[0.5, 0.5], [1, 0]]), np.float32([[0.25, 0.75], [0.5, 0.5]])
    expected = -np.mean([0.5 * np.log(0.25) + 0.5 * np.log(0.75), np.log(0.5)])
    assert Evaluation(labels, answers).loss == pytest.approx(expected)


def test_what_is_written_is_read_and_a_class_without_images_has_no_accuracy(tmp_path):
    evaluation.write(tmp_path, Evaluation(one_hot([0, 0, 1], 3), one_hot([0, 1, 1], 3)), ("a", "b", "c"))
    tested = evaluation.read(tmp_path)
    assert tested.class_accuracy == {"a": 0.5, "b": 1.0, "c": None}
    assert tested.images == 3
    assert tested.metrics["test_accuracy"] == pytest.approx(2 / 3)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of one training, as `python -m sweeper` leaves it, and what it printed."""
    here = tmp_path_factory.mktemp("trained")
    command = [sys.executable, "-m", "sweeper", *CURVE, "hydra.run.dir=run"]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True)
    return here / "run", done.stdout


@pytest.mark.slow
def test_a_training_ends_with_its_test_accuracy(trained):
    folder, printed = trained
    (trial,) = record.read(folder).trials
    network = keras.models.load_model(folder / "model.keras")
    data = digits.load(seed=0, train_size=300)
    images = (data.test.images - np.float32(data.mean)) / np.float32(data.std)
    right = (network(images).numpy().argmax(axis=1) == data.test.labels).mean()
    assert trial.tested.metrics["test_accuracy"] == pytest.approx(right)
    assert trial.tested.images == len(data.test) == 359
    assert f"359 test images: accuracy {right:.4f}" in printed


def test_its_pictures_are_drawn(trained):
    folder, _ = trained
    pictures = {file.name: file.read_bytes()[:4] for file in (folder / "pictures").iterdir()}
    assert pictures == dict.fromkeys(["curves.png", "confusion.png", "classes.png", "predictions.png"], b"\x89PNG")


def test_mlflow_has_figures_and_pictures_on_the_trials_run(trained):
    folder, _ = trained
    (trial,) = record.read(folder).trials
    client = mlflow.MlflowClient(f"sqlite:///{folder.parent}/mlflow.db")
    run = client.get_run(trial.run_id)
    assert run.data.metrics["test_accuracy"] == trial.tested.metrics["test_accuracy"]
    assert run.info.status == "FINISHED"
    logged = {Path(file.path).name for file in client.list_artifacts(trial.run_id, "pictures")}
    assert logged == {"curves.png", "confusion.png", "classes.png", "predictions.png"}


def test_the_leaderboard_file_has_the_test_accuracy(trained):
    folder, _ = trained
    header, line = (folder / "leaderboard.csv").read_text().splitlines()
    (trial,) = record.read(folder).trials
    row = dict(zip(header.split(","), line.split(","), strict=False))
    assert float(row["test_accuracy"]) == trial.tested.metrics["test_accuracy"]

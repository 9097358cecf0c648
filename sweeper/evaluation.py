"""The best network meets the test split, once: how right it is, with which classes, and pictures of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml

from sweeper import card, formats, instances, pictures, plain, record, trial, typed
from sweeper.data import Dataset, Split
from sweeper.errors import DataError
from sweeper.events import Metrics

if TYPE_CHECKING:
    import keras

NAME = "test.yaml"  # beside the network
BATCH = 256  # images


@dataclass(frozen=True)
class Evaluation:
    labels: np.ndarray  # (N, classes) float32 distributions
    probabilities: np.ndarray  # (N, classes) float32

    @property
    def right(self) -> np.ndarray:
        """(N,) int64: the class of each image; of a distribution the likeliest."""
        return self.labels.argmax(axis=1)

    @property
    def told(self) -> np.ndarray:
        """(N,) int64: the class that the network gives most."""
        return self.probabilities.argmax(axis=1)

    @property
    def accuracy(self) -> float:
        return float((self.right == self.told).mean())

    @property
    def loss(self) -> float:
        """Mean cross-entropy, in nats."""
        return float(-(self.labels * np.log(np.maximum(self.probabilities, 1e-7))).sum(axis=1).mean())

    def confusion(self) -> np.ndarray:
        """(classes, classes) int64: how many images of a row's class the network took for a column's."""
        counts = np.zeros((self.labels.shape[1],) * 2, np.int64)
        np.add.at(counts, (self.right, self.told), 1)
        return counts


@dataclass(frozen=True)
class Tested:
    images: int
    metrics: Metrics  # test_accuracy, test_loss
    class_accuracy: dict[str, float | None]  # None: no image of that class


def test(sweep: Path, number: int) -> None:
    """Writes test.yaml and pictures/ into the folder of a finished trial. For a process that has TensorFlow loaded.

    Raises: DataError or ConfigError if the trial's data set cannot be loaded any more.
    """
    best = next(found for found in record.read(sweep).trials if found.number == number)
    data = instances.dataset(trial.config(best.folder))
    tested = evaluate(formats.load_keras(best.model), data.test, data)
    write(best.folder, tested, data.classes)
    folder = best.folder / record.PICTURES
    folder.mkdir(exist_ok=True)
    metric = card.read(best.folder).metric
    pictures.save(pictures.curves(best.curve, metric, best.facts["best_epoch"]), folder / "curves.png")
    pictures.save(pictures.confusion(tested.confusion(), data.classes), folder / "confusion.png")
    pictures.save(pictures.class_accuracy(tested.confusion(), data.classes), folder / "classes.png")
    shown = pictures.predictions(data.test.images, tested.right, tested.probabilities, data.classes)
    pictures.save(shown, folder / "predictions.png")


def evaluate(network: keras.Model, split: Split, data: Dataset) -> Evaluation:
    """split: of `data`, whose scale the network was trained in."""
    from sweeper import pipeline

    batches = pipeline.evaluation(split, data, BATCH)
    labels, probabilities = zip(*((label, network(image, training=False)) for image, label in batches), strict=True)
    return Evaluation(np.concatenate(labels), np.concatenate(probabilities))


def write(folder: Path, evaluation: Evaluation, classes: tuple[str, ...]) -> None:
    counts = evaluation.confusion()
    shares = {
        name: float(row[number] / row.sum()) if row.any() else None
        for number, (name, row) in enumerate(zip(classes, counts, strict=True))
    }
    plain = {
        "images": len(evaluation.labels),
        "metrics": {"test_accuracy": evaluation.accuracy, "test_loss": evaluation.loss},
        "class_accuracy": shares,
    }
    (folder / NAME).write_text(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True), encoding="utf-8")


def read(folder: Path) -> Tested:
    """Raises: FileNotFoundError if the network in `folder` was not tested, DataError if its test.yaml is damaged."""
    advice = "Delete it."
    row = plain.read(folder / NAME, advice)
    try:
        return typed.make(Tested, row)
    except TypeError as error:
        raise DataError(f"{folder / NAME} is damaged: {error}. {advice}") from error

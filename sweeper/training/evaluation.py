"""The best network meets the test split, once: how right it is, with which classes, and pictures of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from sweeper import drawing
from sweeper.errors import DataError
from sweeper.files import card, formats
from sweeper.records import plain, record, typed
from sweeper.records.events import Metrics
from sweeper.training import config, instances, pictures
from sweeper.training.answers import Evaluation, evaluate

NAME = "test.yaml"  # beside the network


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
    data = instances.dataset(config.read(best.folder))
    tested = evaluate(formats.load_keras(best.model), data.test, data)
    write(best.folder, tested, data.classes)
    folder = best.folder / record.PICTURES
    folder.mkdir(exist_ok=True)
    metric = card.read(best.folder).metric
    drawing.save(pictures.curves(best.curve, metric, best.facts["best_epoch"]), folder / "curves.png")
    drawing.save(pictures.confusion(tested.confusion(), data.classes), folder / "confusion.png")
    drawing.save(pictures.class_accuracy(tested.confusion(), data.classes), folder / "classes.png")
    shown = pictures.predictions(data.test.images, tested.right, tested.probabilities, data.classes)
    drawing.save(shown, folder / "predictions.png")


def write(folder: Path, evaluation: Evaluation, classes: tuple[str, ...]) -> None:
    counts = evaluation.confusion()
    shares = {
        name: float(row[number] / row.sum()) if row.any() else None
        for number, (name, row) in enumerate(zip(classes, counts, strict=True))
    }
    plain = {
        "images": len(evaluation.labels),
        "metrics": evaluation.metrics,
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

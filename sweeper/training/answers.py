"""What a network answers to the images of a split, and how right that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sweeper.data import Dataset, Split
from sweeper.records.events import Metrics

if TYPE_CHECKING:
    import keras

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

    @property
    def metrics(self) -> Metrics:
        """By the names of a test: it is the test split that networks are judged on here."""
        return {"test_accuracy": self.accuracy, "test_loss": self.loss}

    def confusion(self) -> np.ndarray:
        """(classes, classes) int64: how many images of a row's class the network took for a column's."""
        counts = np.zeros((self.labels.shape[1],) * 2, np.int64)
        np.add.at(counts, (self.right, self.told), 1)
        return counts


def evaluate(network: keras.Model, split: Split, data: Dataset) -> Evaluation:
    """split: of `data`, whose scale the network was trained in."""
    from sweeper.training import pipeline

    batches = pipeline.evaluation(split, data, BATCH)
    labels, probabilities = zip(*((label, network(image, training=False)) for image, label in batches), strict=True)
    return Evaluation(np.concatenate(labels), np.concatenate(probabilities))

"""A data set of the project's own: circles, squares and triangles of any place and size, on noise."""

import cv2
import numpy as np

from sweeper.data import Dataset, Split, assemble

CLASSES = ("circle", "square", "triangle")
TEST_SEED = 1  # the test images are the same, whatever the seed


def load(*, seed: int, images: int = 1500, size: int = 24, validation: float = 0.2) -> Dataset:
    """images: to train and validate with; a fifth as many test. size: pixels a side.

    Returns: images (N, size, size, 1) uint8; labels (N,) int64.
    """
    train = _drawn(np.random.default_rng(seed), images, size)
    test = _drawn(np.random.default_rng([TEST_SEED]), images // 5, size)
    return assemble(train, test, CLASSES, seed=seed, validation=validation)


def _drawn(rng: np.random.Generator, count: int, size: int) -> Split:
    labels = rng.integers(0, len(CLASSES), count)
    pictures = rng.integers(0, 90, (count, size, size), np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        radius = int(rng.integers(size // 6, size // 3))
        x, y = (int(place) for place in rng.integers(radius, size - radius, 2))
        if label == 0:
            cv2.circle(picture, (x, y), radius, 200, -1)
        elif label == 1:
            cv2.rectangle(picture, (x - radius, y - radius), (x + radius, y + radius), 200, -1)
        else:
            corners = [(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)]
            cv2.fillPoly(picture, [np.array(corners, np.int32)], 200)
    return Split(pictures[..., np.newaxis], labels.astype(np.int64))

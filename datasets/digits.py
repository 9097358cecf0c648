"""Handwritten digits that come with scikit-learn: real images without a download, for first steps and fast tests."""

import numpy as np

from sweeper.data import Dataset, Split, assemble

LEVELS = 16  # ink in a cell of the scan: 0..16
TEST = 0.2  # of all images, always the same ones


def load(*, seed: int, validation: float = 0.2, train_size: int | None = None) -> Dataset:
    """1,797 digits written by 43 people, a fifth of each class set aside as the test split.

    Returns: images (N, 8, 8, 1) uint8 in 0..255; labels (N,) int64, the digit.
    Raises: DataError if `validation` is not between 0 and 1 or `train_size` more than there is.
    Source: Alpaydin & Kaynak 1998, https://doi.org/10.24432/C50P49, the part in scikit-learn.
    """
    from sklearn.datasets import load_digits  # takes a second to import

    scans = load_digits()
    images = np.round(scans.images[..., np.newaxis] * (255 / LEVELS)).astype(np.uint8)
    digits = Split(images, scans.target.astype(np.int64))
    classes = tuple(str(digit) for digit in range(10))
    return assemble(digits, TEST, classes, seed=seed, validation=validation, train_size=train_size)

"""What every loader in `datasets/` returns, and the splits, statistics and checks that all of them share."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sweeper.errors import DataError

TEST_SEED = 0  # a test split that we cut is the same in every run: only so are two sweeps comparable
LARGEST = 2**27  # pixels of an image file, 400 MB in RGB; an OPENCV_IO_MAX_IMAGE_PIXELS of the user wins
BLOCK = 1000  # images whose pixels are counted at once; bincount copies them as int64


@dataclass(frozen=True)
class Split:
    images: np.ndarray  # (N, height, width, channels) uint8, 0..255
    labels: np.ndarray  # (N,) int64 class numbers, or (N, classes) float32 distributions

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: np.ndarray) -> Split:
        return Split(self.images[rows], self.labels[rows])


@dataclass(frozen=True)
class Dataset:
    train: Split
    validation: Split
    test: Split  # nothing that searches looks at it
    classes: tuple[str, ...]
    mean: tuple[float, ...]  # per channel over the training pixels, in 0..255
    std: tuple[float, ...]
    drawn: bool = False  # each epoch draws every training label anew from its distribution
    fingerprint: str = ""  # of all images and labels in their order; empty: not taken
    unseeded: str = ""  # fingerprint of what no seed changes: the test images and labels, how many others there are

    @property
    def input_shape(self) -> tuple[int, int, int]:
        return self.train.images.shape[1:]

    @property
    def num_classes(self) -> int:
        return len(self.classes)


def assemble(
    train: Split,
    test: Split | float,
    classes: tuple[str, ...],
    *,
    seed: int,
    validation: Split | float,
    train_size: int | None = None,
) -> Dataset:
    """Cuts from `train` the splits that the data set does not bring, and takes the pixel statistics.

    test: a split, or the fraction of `train` to hold out, the same images whatever the seed.
    validation: a split, or the fraction to hold out of what is left, drawn by `seed`.
    train_size: keep only so many training images, drawn by `seed`; validation then shrinks in proportion.
    Fractions hold out the same share of each class.
    Raises: DataError if a fraction is not between 0 and 1, a split is empty, or `train_size` is more than there is.
    """
    if not isinstance(test, Split):
        train, test = _hold_out(train, test, "dataset.test", np.random.default_rng(TEST_SEED))
    rng = np.random.default_rng(seed)
    if not isinstance(validation, Split):
        train, validation = _hold_out(train, validation, "dataset.validation", rng)
    if train_size is not None:
        train, validation = _subset(train, validation, train_size, rng)
    sizes = {"training": len(train), "validation": len(validation), "test": len(test)}
    for name, size in sizes.items():
        if not size:
            raise DataError(f"The {name} split is empty: {sizes}. Give the data set more images, or other fractions.")
    statistics, fingerprint = _statistics(train.images), _fingerprint(train, validation, test)
    unseeded = _fingerprint(test, known=f"{sizes}")
    names = tuple(map(str, classes))
    return Dataset(train, validation, test, names, *statistics, fingerprint=fingerprint, unseeded=unseeded)


def _fingerprint(*splits: Split, known: str = "") -> str:
    """16 hexadecimal digits. known: what they depend on, too."""
    digest = hashlib.sha256(known.encode())
    for array in (array for split in splits for array in (split.images, split.labels)):
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()[:16]


def existing(path: str | Path, key: str) -> Path:
    """The file or folder that the user gave for `key`, say dataset.path. Raises: DataError if it is not there."""
    found = Path(path)
    try:
        is_there = found.exists()
    except (OSError, ValueError):  # too long, or with a NUL
        is_there = False
    if not is_there:
        raise DataError(f"{key}={path}: {found.absolute()} does not exist. Give the path to it, absolute or from here.")
    return found


def read_image(file: Path, channels: int) -> np.ndarray | None:
    """(height, width, channels) uint8: RGB for 3 channels, gray for 1. None if `file` is no image that OpenCV reads.

    None too for one that claims more than LARGEST pixels: a few bytes can claim more than memory holds.
    """
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(LARGEST))
    import cv2

    try:
        image = cv2.imread(str(file), cv2.IMREAD_COLOR if channels == 3 else cv2.IMREAD_GRAYSCALE)
    except (cv2.error, UnicodeError):  # of more pixels, or with a name that is no text
        return None
    if image is None:
        return None
    if channels == 3:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return image.reshape(*image.shape[:2], channels)


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W[, 3]) uint8 to (height, width[, 3]): areas are averaged on the way down, cubics fitted on the way up."""
    import cv2

    if image.shape[:2] == (height, width):
        return image
    smaller = height * width < image.shape[0] * image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def z_scored(images: np.ndarray, mean: tuple[float, ...], std: tuple[float, ...]) -> np.ndarray:
    """Pixels (N, height, width, channels) uint8 -> what networks are trained on, float32 of the same shape."""
    return (images.astype(np.float32) - np.float32(mean)) / np.float32(std)


def _hold_out(split: Split, fraction: float, key: str, rng: np.random.Generator) -> tuple[Split, Split]:
    """What stays and what is held out: `fraction` of the rows of each class, in their old order."""
    if not 0 < fraction < 1:
        raise DataError(f"{key}={fraction}: not a share of the images. Give a fraction between 0 and 1, say 0.1.")
    numbers = split.labels.argmax(axis=1) if split.labels.ndim == 2 else split.labels
    held_out = np.zeros(len(split), bool)
    for number in np.unique(numbers):
        rows = rng.permutation(np.flatnonzero(numbers == number))
        held_out[rows[: round(len(rows) * fraction)]] = True
    return split.take(np.flatnonzero(~held_out)), split.take(np.flatnonzero(held_out))


def _subset(train: Split, validation: Split, size: int, rng: np.random.Generator) -> tuple[Split, Split]:
    if not 0 < size <= len(train):
        raise DataError(f"dataset.train_size={size}: there are {len(train)} training images. Give 1 to {len(train)}.")
    share = max(1, round(len(validation) * size / len(train)))
    return (
        train.take(np.sort(rng.permutation(len(train))[:size])),
        validation.take(np.sort(rng.permutation(len(validation))[:share])),
    )


def _statistics(images: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, exact, from histograms: no float copy of the images."""
    channels = images.shape[-1]
    counts = np.zeros((channels, 256), np.int64)
    for start in range(0, len(images), BLOCK):
        for channel in range(channels):
            counts[channel] += np.bincount(images[start : start + BLOCK, ..., channel].ravel(), minlength=256)
    levels = np.arange(256)
    mean = [float(np.average(levels, weights=count)) for count in counts]
    std = [float(np.sqrt(np.average((levels - m) ** 2, weights=count))) for m, count in zip(mean, counts, strict=True)]
    return tuple(mean), tuple(max(s, 1.0) for s in std)  # a flat channel is not divided by zero

"""FER+: faces labelled by ten people each, so that the label is the share of votes and not one emotion."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from sweeper.data import Dataset, Split, assemble, existing, resize
from sweeper.errors import DataError

CLASSES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
TARGETS = ("majority", "distribution", "drawn")
NOBODY = ("unknown", "NF")  # votes for no emotion: not to be read, not a face
USAGES = (b"Training", b"PublicTest", b"PrivateTest")  # the training, validation and test split
SIDE = 48  # pixels of a face in the file


def load(
    *,
    images: str | Path,
    labels: str | Path,
    seed: int,
    target: str = "distribution",
    clear_majority: bool = False,
    image_size: int = SIDE,
    train_size: int | None = None,
) -> Dataset:
    """FER2013's faces with the FER+ votes; its own three splits: 28,559 / 3,579 / 3,573 faces.

    images: Kaggle's fer2013.csv, with the columns pixels and Usage.
    labels: FER+'s fer2013new.csv, row for row the same faces. Those without a vote for one of the eight emotions
        (no face, or one that nobody could read) are left out.
    target: what a face's label is. distribution: the share of votes of each emotion; drawn: in training one emotion,
        drawn anew each epoch by these shares; majority: the emotion with most votes, the first one of equals.
    clear_majority: validation and test keep only the faces on which people agree, 3,199 and 3,153: one emotion has more
        than half of the votes, single ones not counted. So do the authors whatever the networks learn from, and only so
        are accuracies comparable with theirs.
    seed: only draws the `train_size` faces; without that every seed gives the same splits.
    image_size: pixels a side; 48 leaves the faces as they are.
    Returns: faces (N, image_size, image_size, 1) uint8; labels (N, 8) float32, each row a distribution, or
        for majority (N,) int64.
    Raises: DataError if a file is missing or damaged, the two differ in length, or `target` is none of the three.
    Source: Barsoum et al. 2016, arXiv:1608.01041, section 3, and the authors' code on GitHub, microsoft/FERPlus,
        src/ferplus.py and src/train.py; Goodfellow et al. 2013, arXiv:1307.0414.
    """
    if target not in TARGETS:
        raise DataError(f"dataset.target={target}: unknown. Give one of {', '.join(TARGETS)}.")
    images, labels = existing(images, "dataset.images"), existing(labels, "dataset.labels")
    votes, usages = _read_votes(labels)
    faces = _read_faces(images, image_size)
    if len(faces) != len(votes):
        raise DataError(
            f"{images} has {len(faces):,} rows and {labels} has {len(votes):,}; they must name the same faces. "
            "Give the complete files: 35,887 rows each."
        )
    agreed, votes = _agreed(votes), votes[:, : len(CLASSES)]
    totals = votes.sum(axis=1, keepdims=True)
    emotions = votes.argmax(axis=1) if target == "majority" else (votes / np.maximum(totals, 1)).astype(np.float32)
    voted = totals[:, 0] > 0
    judged = agreed if clear_majority else voted
    rows = [np.flatnonzero((usages == usage) & kept) for usage, kept in enumerate((voted, judged, judged))]
    train, validation, test = (Split(faces[own], emotions[own]) for own in rows)
    data = assemble(train, test, CLASSES, seed=seed, validation=validation, train_size=train_size)
    return replace(data, drawn=target == "drawn")


def _read_votes(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Votes (N, 10) int64, for each emotion and for none, and the place (N,) of each row's usage in USAGES."""
    votes, usages = [], []
    for line, (usage, *counts) in _read_columns(file, ("Usage", *CLASSES, *NOBODY)):
        if usage not in USAGES or not all(count.isdigit() and len(count) < 5 for count in counts):
            got = b",".join([usage, *counts]).decode(errors="replace")
            raise _damaged(file, line, f"{got} instead of Training, PublicTest or PrivateTest and ten counts")
        usages.append(USAGES.index(usage))
        votes.append([int(count) for count in counts])
    return np.array(votes, np.int64).reshape(-1, len(CLASSES) + len(NOBODY)), np.array(usages, np.int64)


def _agreed(votes: np.ndarray) -> np.ndarray:
    """Whether one emotion has more than half of a face's votes (N,); a single vote is taken for a mistake."""
    counted = np.where(votes > 1, votes, 0)
    return 2 * counted[:, : len(CLASSES)].max(axis=1, initial=0) > counted.sum(axis=1)


def _read_faces(file: Path, side: int) -> np.ndarray:
    """Faces (N, side, side, 1) uint8."""
    faces = [resize(_face(file, line, pixels), side, side) for line, (pixels,) in _read_columns(file, ("pixels",))]
    return np.array(faces, np.uint8).reshape(-1, side, side, 1)


def _face(file: Path, line: int, text: bytes) -> np.ndarray:
    """(48, 48) uint8 from '70 80 82 …'."""
    try:
        pixels = np.fromstring(text, np.int32, sep=" ")
    except ValueError as error:
        raise _damaged(file, line, "a pixel is not a whole number") from error
    if len(pixels) != SIDE * SIDE:
        raise _damaged(file, line, f"{len(pixels)} pixels instead of {SIDE * SIDE}")
    if pixels.min() < 0 or pixels.max() > 255:
        raise _damaged(file, line, f"pixels from {pixels.min()} to {pixels.max()} instead of 0 to 255")
    return pixels.astype(np.uint8).reshape(SIDE, SIDE)


def _read_columns(file: Path, names: tuple[str, ...]) -> Iterator[tuple[int, list[bytes]]]:
    """Line number, from 1, and the named fields of each row. No field of these files is quoted, and to split 300 MB
    at commas takes half a second, the csv module two."""
    with open(file, "rb") as lines:
        header = [name.strip().decode(errors="replace") for name in next(lines, b"").split(b",")]
        missing = [name for name in names if name not in header]
        if missing:
            raise DataError(
                f"{file} has no column {', '.join(missing)}; it has {', '.join(header)[:200]}. "
                "Give dataset.images=fer2013.csv and dataset.labels=fer2013new.csv."
            )
        columns = [header.index(name) for name in names]
        for line, row in enumerate(lines, start=2):
            fields = row.split(b",")
            if len(fields) != len(header):
                raise _damaged(file, line, f"{len(fields)} fields instead of {len(header)}")
            yield line, [fields[column].strip() for column in columns]


def _damaged(file: Path, line: int, what: str) -> DataError:
    return DataError(f"{file}, line {line}: {what}. Download the file once more.")

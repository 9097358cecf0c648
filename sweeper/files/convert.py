"""A network as a file: written, read again by the format's own runtime, compared with the original, and timed."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sweeper import text
from sweeper.data import Dataset, Split, z_scored
from sweeper.errors import ConfigError
from sweeper.files import costs, formats, latency
from sweeper.files.card import Card
from sweeper.files.formats import Classify, Format
from sweeper.machine import hardware

if TYPE_CHECKING:
    import keras

TOLERANCE = 1e-4  # of a probability; what formats differ by in float32 is below 1e-5
MIN_AGREEMENT = 0.95  # of the classes; rounding costs up to a few in a hundred, a wrong range of numbers most of them
CALIBRATION = 300  # training images that show what range numbers have; TensorFlow advises a few hundred
FEWEST, MOST = 64, 500  # validation images that answers are compared on
WORK = 2e5  # millions of operations, a few seconds: a large network answers fewer of them
BATCH = 64  # images a call
LATENCIES = (1, 32)  # images a call that is timed


@dataclass(frozen=True)
class Original:
    """What files are made of and compared with. Images are (N, height, width, channels) float32, z-scored."""

    network: keras.Model  # in float32
    training: np.ndarray  # evenly spread, as are those below
    validation: np.ndarray
    answers: np.ndarray  # to `validation`, (N, classes)


@dataclass(frozen=True)
class Converted:
    format: str  # its name
    file: str
    size: int  # bytes
    difference: float  # largest one of a probability, between the file and the network it was made from
    agreement: float  # share of images that the two give the same class
    images: int  # that both were measured on
    latency_1_ms: float  # of one image, by latency.PROTOCOL
    latency_32_ms: float  # of 32 at once
    machine: str  # that was timed
    calls_1: int | None = None  # how many the first of these times is the median of; None: an earlier version wrote it
    calls_32: int | None = None  # the second


def original(network: keras.Model, data: Dataset, scale: Card | Dataset) -> Original:
    """scale: whose mean and deviation the network expects its images by."""
    network = formats.in_float32(network)
    compared = int(min(MOST, max(FEWEST, WORK / max(1.0, costs.mflops(network)))))
    training, validation = (
        z_scored(_spread(split, count), scale.mean, scale.std)
        for split, count in ((data.train, CALIBRATION), (data.validation, compared))
    )
    with _on_processor():
        return Original(network, training, validation, _answers(formats.classify(network), validation))


def convert(original: Original, format: Format, path: Path) -> Converted:
    """Writes `path` and tells how it does.

    Raises: ConfigError if the format or its runtime cannot do what the network does.
    """
    threads = latency.threads()
    try:
        format.write(original.network, path, original.training)
        with _on_processor():
            classify = format.read(path, threads)
            answers = _answers(classify, original.validation)
            times = [latency.of(classify, original.validation, size) for size in LATENCIES]
    except Exception as error:  # each converter and each runtime has errors of its own
        raise ConfigError(
            f"The network cannot be written as {format.name}: {text.first_line(str(error))}\n"
            f"The format or its runtime may not know one of its layers. Choose another --format, or another layer."
        ) from error
    return Converted(
        format.name,
        format.file,
        _size(path),
        float(np.abs(answers - original.answers).max()),
        float((answers.argmax(axis=1) == original.answers.argmax(axis=1)).mean()),
        len(original.validation),
        *(time.milliseconds for time in times),
        hardware.name(threads),
        *(time.calls for time in times),
    )


def check(converted: Converted, format: Format, min_agreement: float) -> None:
    """Raises: ConfigError if the file computes something else than the network.

    min_agreement: of the classes, where the format rounds; others may not differ by more than TOLERANCE.
    """
    difference, agreement = converted.difference, converted.agreement
    if np.isnan(difference) or (format.exact and difference > TOLERANCE):
        raise ConfigError(
            f"The network as {format.name} differs from the original by {difference:.1g} in a probability, "
            f"more than {TOLERANCE:g}: it was not exported. Choose another --format."
        )
    if not format.exact and agreement < min_agreement:
        raise ConfigError(
            f"The network as {format.name} gives {agreement:.1%} of {converted.images} validation images the class "
            f"that the original gives them, less than {min_agreement:.1%}: it was not exported. Choose another "
            f"--format, or let it differ: --min-agreement {np.floor(100 * agreement) / 100:g}"
        )


def _on_processor() -> AbstractContextManager:
    """Of what TensorFlow computes: other runtimes know no card here, and a card rounds otherwise (TensorFloat-32)."""
    import tensorflow as tf

    return tf.device("CPU:0")


def _spread(split: Split, count: int) -> np.ndarray:
    """Images from its first to its last, (N, height, width, channels) uint8; fewer if there are fewer."""
    return split.images[np.unique(np.linspace(0, len(split) - 1, count).astype(int))]


def _answers(classify: Classify, images: np.ndarray) -> np.ndarray:
    """The first one alone: a file that takes only one size of batch fails."""
    batches = (images[start : start + BATCH] for start in range(1, len(images), BATCH))
    return np.concatenate([classify(images[:1]), *map(classify, batches)])


def _size(path: Path) -> int:
    """Bytes of a file, or of the files in a folder."""
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())

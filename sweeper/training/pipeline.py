"""uint8 images -> batches of z-scored float32, on the CPU, while the network trains on the batch before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import tensorflow as tf

from sweeper.data import Dataset, Split
from sweeper.training.augment import Augment, Batch
from sweeper.training.trainer import Trainer

BALANCED = "balanced"
_AT_ONCE, _AHEAD = 4, 2  # batches made side by side, and kept ready


@dataclass(frozen=True)
class Batches:
    train: Callable[[int], tf.data.Dataset]  # from a step on; endless
    steps: int  # an epoch
    validation: tf.data.Dataset


def batches(data: Dataset, trainer: Trainer, augment: Augment | None, seed: int) -> Batches:
    """What a network is trained and judged on; see `training` and `evaluation`."""
    size = trainer.batch_size
    smoothing, weights = trainer.label_smoothing, trainer.class_weights
    train = partial(training, data, size, augment, seed, label_smoothing=smoothing, class_weights=weights)
    return Batches(train, steps(data, size), evaluation(data.validation, data, size))


def training(
    data: Dataset,
    batch_size: int,
    augment: Augment | None,
    seed: int,
    first_step: int = 0,
    *,
    label_smoothing: float = 0.0,
    class_weights: str | None = None,
) -> tf.data.Dataset:
    """Endless batches of `data.train`. Each is a function of `seed` and its step alone: a training can go on anywhere.

    The rest that fills no batch is left out of an epoch, another rest each time: a batch of a few images would give
    batch norm poor statistics. A batch never holds more than the data set.
    label_smoothing: share of each label spread over all classes (Szegedy et al. 2016, arXiv:1512.00567).
    class_weights: "balanced" adds to each batch the weights of its images (batch,) float32, so that all classes count
        the same.
    Yields: images (batch, height, width, channels) float32, labels (batch, classes) float32[, weights].
    """
    size, batch, per_epoch = len(data.train), min(batch_size, len(data.train)), steps(data, batch_size)
    images, labels = _reader(data.train), tf.constant(_distributions(data.train, data.num_classes))
    weights = tf.constant(_class_weights(data)) if class_weights == BALANCED else None

    @tf.autograph.experimental.do_not_convert  # it takes time, and there is nothing to convert
    def load(step: tf.Tensor) -> tuple[tf.Tensor, ...]:
        epoch, place = step // per_epoch, step % per_epoch
        key = tf.stack([tf.constant(seed, tf.int64), epoch])
        rows = _shuffled(place * batch + tf.range(batch, dtype=tf.int64), size, key)
        label = tf.gather(labels, rows)
        if data.drawn:
            label = _draw(label, tf.gather(tf.random.stateless_uniform((size,), key), rows))
        image, weight = images(rows), ()
        if augment is not None:
            seeds = tf.stack([tf.constant(seed, tf.int64), step])
            image, label = augment(Batch(image, label, rows, size, epoch, seeds, data.mean))
        if weights is not None:
            label, *weight = _balanced(label, weights)
        label = label * (1 - label_smoothing) + label_smoothing / data.num_classes
        return _z_score(image, data.mean, data.std), label, *weight

    counted = tf.data.Dataset.range(first_step, tf.int64.max)  # `counter` would leave a graph behind each time
    return _ready(counted.map(load, num_parallel_calls=_AT_ONCE, deterministic=True))


def steps(data: Dataset, batch_size: int) -> int:
    """Full batches an epoch of `training`."""
    return max(1, len(data.train) // batch_size)


def evaluation(split: Split, data: Dataset, batch_size: int) -> tf.data.Dataset:
    """All of `split` in its order. Shapes as in `training`; the last batch may be smaller."""
    images, labels = _reader(split), tf.constant(_distributions(split, data.num_classes))

    @tf.autograph.experimental.do_not_convert
    def load(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _z_score(images(rows), data.mean, data.std), tf.gather(labels, rows)

    batches = tf.data.Dataset.range(len(split)).batch(batch_size)
    return _ready(batches.map(load))


def _ready(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Some ahead of the step that takes them.

    Without TensorFlow's autotuning, whose thread sleeps for up to a minute and is waited for when a training ends.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.prefetch(_AHEAD).with_options(options)


def _reader(split: Split) -> Callable[[tf.Tensor], tf.Tensor]:
    """Row numbers (batch,) -> their images. Read by NumPy: a tensor of all images would be a copy of what the slots of
    a machine share in memory."""
    height, width, channels = split.images.shape[1:]

    def read(rows: tf.Tensor) -> tf.Tensor:
        images = tf.numpy_function(split.images.__getitem__, [rows], tf.uint8, stateful=False)
        return tf.ensure_shape(images, (*rows.shape, height, width, channels))

    return read


def _distributions(split: Split, classes: int) -> np.ndarray:
    """Labels (N, classes) float32: a class number becomes all of that class."""
    return split.labels if split.labels.ndim == 2 else np.eye(classes, dtype=np.float32)[split.labels]


def _class_weights(data: Dataset) -> np.ndarray:
    """(classes,) float32 that give each class the same total: N / (classes * its images); 0 for one without images."""
    counts = _distributions(data.train, data.num_classes).sum(axis=0)
    shares = len(data.train) / np.maximum(counts, 1e-9) / data.num_classes
    return np.where(counts > 0, shares, 0).astype(np.float32)


def _balanced(labels: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Labels (batch, classes) and weights of images (batch,) in whose loss each class counts by its weight (classes,).

    An image that shows two classes, in the eyes of taggers or by mixup, counts for each by that class's weight.
    """
    weighted = labels * weights
    totals = tf.reduce_sum(weighted, axis=1)
    return tf.math.divide_no_nan(weighted, totals[:, tf.newaxis]), totals


def _shuffled(places: tf.Tensor, size: int, key: tf.Tensor) -> tf.Tensor:
    """The rows at these places of the permutation of 0..size-1 that `key` (2,) names."""
    return tf.random.experimental.index_shuffle(places, key, size - 1)


def _draw(labels: tf.Tensor, chances: tf.Tensor) -> tf.Tensor:
    """One class for each distribution (batch, classes), one-hot: where the chance (batch,) falls in its sums."""
    passed = tf.reduce_sum(tf.cast(tf.cumsum(labels, axis=1) <= chances[:, tf.newaxis], tf.int32), axis=1)
    likeliest = tf.argmax(labels, axis=1, output_type=tf.int32)
    classes = labels.shape[1]
    return tf.one_hot(tf.where(passed < classes, passed, likeliest), classes)  # a sum may end just below 1


def _z_score(images: tf.Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> tf.Tensor:
    return (tf.cast(images, tf.float32) - tf.constant(mean)) / tf.constant(std)

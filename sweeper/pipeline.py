"""uint8 images -> batches of z-scored float32, on the CPU, while the network trains on the batch before."""

from __future__ import annotations

import tensorflow as tf

from sweeper.augment import Augment
from sweeper.data import Dataset, Split


def training(data: Dataset, batch_size: int, augment: Augment | None, seed: int) -> tf.data.Dataset:
    """Endlessly different epochs over `data.train`, the same ones for the same seed.

    The rest that fills no batch is left out of an epoch, another rest each time: a batch of a few images would give
    batch norm poor statistics. A batch never holds more than the data set.
    Yields: images (batch, height, width, channels) float32, labels (batch,) int64 or (batch, classes) float32.
    """
    size = len(data.train)
    rows = tf.data.Dataset.range(size).shuffle(size, seed=seed)  # shuffles row numbers, so that a batch is one gather
    rows = rows.batch(min(batch_size, size), drop_remainder=True)
    seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
    images, labels = _on_cpu(data.train)

    def load(rows: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        batch = tf.gather(images, rows)
        if augment is not None:
            batch = augment(batch, seed)
        return _z_score(batch, data.mean, data.std), tf.gather(labels, rows)

    return tf.data.Dataset.zip(rows, seeds).map(load, num_parallel_calls=tf.data.AUTOTUNE).prefetch(2)


def evaluation(split: Split, mean: tuple[float, ...], std: tuple[float, ...], batch_size: int) -> tf.data.Dataset:
    """All of `split` in its order. Shapes as in `training`; the last batch may be smaller."""
    batches = tf.data.Dataset.from_tensor_slices(_on_cpu(split)).batch(batch_size)
    return batches.map(lambda images, labels: (_z_score(images, mean, std), labels)).prefetch(2)


def _on_cpu(split: Split) -> tuple[tf.Tensor, tf.Tensor]:
    with tf.device("CPU:0"):
        return tf.constant(split.images), tf.constant(split.labels)


def _z_score(images: tf.Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> tf.Tensor:
    return (tf.cast(images, tf.float32) - tf.constant(mean)) / tf.constant(std)

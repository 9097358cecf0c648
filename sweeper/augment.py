"""Random changes to training images. They are no layers of the network, for they would be exported with it."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from sweeper.errors import ConfigError

# (batch, height, width, channels) uint8 of static shape, seed (2,) -> other images of that shape and type
Augment = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def none() -> None:
    """The images as they are."""


def light(*, shift: float = 0.1, flip: bool = True) -> Augment:
    """Shifts each image by up to `shift` of its height and width, mirrored at the border, and flips every second one.

    Raises: ConfigError if `shift` is not a fraction below a half.
    """
    if not 0 <= shift < 0.5:
        raise ConfigError(f"augment.shift={shift}: not a part of the image. Give 0 to below 0.5, for instance 0.1.")

    def augment(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        batch, height, width, _ = images.shape
        down, right, mirror = tf.unstack(tf.random.split(seed, 3))
        rows = _shifted(batch, height, shift, down)
        columns = _shifted(batch, width, shift, right)
        if flip:
            flipped = tf.random.stateless_uniform((batch, 1), mirror) < 0.5
            columns = tf.where(flipped, width - 1 - columns, columns)
        images = tf.gather(images, rows, axis=1, batch_dims=1)
        return tf.gather(images, columns, axis=2, batch_dims=1)

    return augment


def _shifted(batch: int, size: int, fraction: float, seed: tf.Tensor) -> tf.Tensor:
    """The pixels to take along one axis (batch, size): shifted by whole pixels, reflected at the ends."""
    most = round(fraction * size)
    offsets = tf.random.stateless_uniform((batch, 1), seed, -most, most + 1, tf.int32)
    pixels = tf.abs(tf.range(size) + offsets)
    return size - 1 - tf.abs(size - 1 - pixels)

"""Random changes to training images. They are no layers of the network, for they would be exported with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from sweeper.errors import ConfigError
from sweeper.training import geometry


class Batch(NamedTuple):
    images: tf.Tensor  # (batch, height, width, channels) uint8
    labels: tf.Tensor  # (batch, classes) float32
    rows: tf.Tensor  # (batch,) int64, where the images stand in the data set
    size: int  # images in the data set
    epoch: tf.Tensor  # () int64, from 0
    seed: tf.Tensor  # (2,) int64: the training's, and one of this batch
    mean: tuple[float, ...]  # per channel over the data set, in 0..255


# -> images of the same shape in 0..255, uint8 or float32, and labels
Augment = Callable[[Batch], tuple[tf.Tensor, tf.Tensor]]


def none() -> None:
    """The images as they are."""


def notes(*, rotation: float = 15.0, shift: float = 0.1, flip: bool = True) -> Augment:
    """What the course notes ask of Keras' ImageDataGenerator: any rotation up to `rotation` degrees to either side, any
    shift up to that fraction of height and width, every second image flipped; the border is repeated.

    Raises: ConfigError for a rotation outside of 0 to 180 or a shift outside of 0 to below 0.5.
    """
    _check(rotation=rotation, shift=shift)

    def augment(batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        turn, mirror = tf.unstack(tf.random.split(batch.seed, 2))
        images = geometry.warp(batch.images, turn, rotation=rotation, shift=shift, fill="NEAREST")
        return geometry.flip(images, _halves(batch, mirror)) if flip else images, batch.labels

    return augment


def light(*, shift: float = 0.1, flip: bool = True) -> Augment:
    """Shifts each image by whole pixels, up to `shift` of its height and width, mirrored at the border, and flips every
    second one.

    Raises: ConfigError for a shift outside of 0 to below 0.5.
    """
    _check(shift=shift)

    def augment(batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        move, mirror = tf.unstack(tf.random.split(batch.seed, 2))
        images = geometry.translate(batch.images, move, shift)
        return geometry.flip(images, _halves(batch, mirror)) if flip else images, batch.labels

    return augment


def strong(
    *,
    flip: bool = True,
    shift: float = 0.1,
    rotation: float = 0.0,
    zoom: float = 0.0,
    cutout: float = 0.25,
    mixup: float = 0.1,
) -> Augment:
    """For long trainings: alternating flip, translation with reflection, rotation and zoom, cutout and mixup in turn.

    flip: every second image is mirrored in the first epoch, the others in the next, and so on: any two epochs show both
        (Jordan 2024, arXiv:2404.00498).
    shift: farthest one, as a fraction of height and width.
    rotation: degrees to either side. zoom: fraction that an image grows or shrinks by at most.
    cutout: side of the square set to the data set's mean, as a fraction of the image's (DeVries and Taylor 2017,
        arXiv:1708.04552).
    mixup: alpha of Beta(alpha, alpha), the share in which two images and their labels are blended; 0 = never (Zhang et
        al. 2018, arXiv:1710.09412).
    Raises: ConfigError for a value out of its range.
    """
    _check(shift=shift, rotation=rotation, zoom=zoom, cutout=cutout, mixup=mixup)

    def augment(batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        move, turn, cut, mix = tf.unstack(tf.random.split(batch.seed, 4))
        images, labels = batch.images, batch.labels
        if flip:
            images = geometry.flip(images, _alternating(batch))
        if shift:
            images = geometry.translate(images, move, shift)
        if rotation or zoom:
            images = geometry.warp(images, turn, rotation=rotation, zoom=zoom, fill="REFLECT")
        if cutout:
            images = geometry.cut_out(images, cut, cutout, batch.mean)
        return _mix(images, labels, mix, mixup) if mixup else (images, labels)

    return augment


def _halves(batch: Batch, seed: tf.Tensor) -> tf.Tensor:
    """True for about half of the images (batch,)."""
    return tf.random.stateless_uniform(batch.rows.shape, seed) < 0.5


def _alternating(batch: Batch) -> tf.Tensor:
    """True (batch,) in every second epoch of an image, for about half of them in the first one."""
    coins = tf.random.stateless_uniform((batch.size,), [batch.seed[0], 0], 0, 2, tf.int64)
    return (tf.gather(coins, batch.rows) + batch.epoch) % 2 == 0


def _mix(images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor, alpha: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Blends each image with the one before it. Shares from 0.5 up: the other half would be the same pairs turned."""
    one, other = tf.unstack(tf.random.split(seed, 2))
    gammas = (tf.random.stateless_gamma(labels.shape[:1], part, alpha) + 1e-12 for part in (one, other))
    first, second = gammas
    share = tf.maximum(first, second) / (first + second)
    mixed = _blend(tf.cast(images, tf.float32), share[:, tf.newaxis, tf.newaxis, tf.newaxis])
    return mixed, _blend(labels, share[:, tf.newaxis])


def _blend(rows: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    return share * rows + (1 - share) * tf.roll(rows, 1, axis=0)


_RANGES = {"shift": 0.5, "rotation": 180.0, "zoom": 1.0, "cutout": 1.0, "mixup": float("inf")}


def _check(**values: float) -> None:
    for key, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _RANGES[key]:
            raise ConfigError(f"augment.{key}={value}: give a number from 0 to below {_RANGES[key]:g}.")

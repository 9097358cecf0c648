"""Moves the pixels of a batch of images, each image by its own random amount; all of a batch at once."""

from __future__ import annotations

import math

import tensorflow as tf


def flip(images: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
    """Mirrors left and right where `chosen` (batch,) is true."""
    return tf.where(chosen[:, tf.newaxis, tf.newaxis, tf.newaxis], tf.reverse(images, axis=[2]), images)


def translate(images: tf.Tensor, seed: tf.Tensor, most: float) -> tf.Tensor:
    """Shifts by whole pixels up to the fraction `most` of height and width; what comes in is a reflection."""
    batch, height, width, _ = images.shape
    down, right = tf.unstack(tf.random.split(seed, 2))
    images = tf.gather(images, _reflected(batch, height, most, down), axis=1, batch_dims=1)
    return tf.gather(images, _reflected(batch, width, most, right), axis=2, batch_dims=1)


def warp(
    images: tf.Tensor,
    seed: tf.Tensor,
    *,
    rotation: float = 0.0,
    shift: float = 0.0,
    zoom: float = 0.0,
    fill: str,
) -> tf.Tensor:
    """Turns by up to `rotation` degrees to either side about the centre, shifts, and grows or shrinks by up to the
    fraction `zoom`; bilinear.

    fill: what lies beyond the border, NEAREST or REFLECT.
    Returns: float32 of the same shape.
    """
    _, height, width, _ = images.shape
    angle, scale, down, right = _uniform(images, seed, (math.radians(rotation), zoom, shift * height, shift * width))
    cosine, sine = tf.cos(angle) / (1 + scale), tf.sin(angle) / (1 + scale)
    # An output pixel (x, y) comes from the input's (a x + b y + c, d x + e y + f): the centre stays, then is shifted.
    x, y = (width - 1) / 2, (height - 1) / 2
    rows = (cosine, -sine, x - cosine * x + sine * y + right, sine, cosine, y - sine * x - cosine * y + down)
    zeros = tf.zeros_like(angle)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(images, tf.float32),
        transforms=tf.stack([*rows, zeros, zeros], axis=1),
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode=fill,
    )


def cut_out(images: tf.Tensor, seed: tf.Tensor, side: float, colour: tuple[float, ...]) -> tf.Tensor:
    """Paints a square, `side` of the image's height and width, about a random pixel; part of it may lie outside."""
    batch, height, width, _ = images.shape
    above, left = tf.unstack(tf.random.split(seed, 2))
    rows, columns = _window(batch, height, side, above), _window(batch, width, side, left)
    inside = (rows[:, :, tf.newaxis] & columns[:, tf.newaxis, :])[..., tf.newaxis]
    return tf.where(inside, tf.cast(tf.constant(colour), images.dtype), images)


def _uniform(images: tf.Tensor, seed: tf.Tensor, most: tuple[float, ...]) -> list[tf.Tensor]:
    """For each of `most` a number an image (batch,) from -most to most."""
    numbers = tf.random.stateless_uniform((len(most), images.shape[0]), seed, -1.0, 1.0)
    return tf.unstack(numbers * tf.constant(most, tf.float32)[:, tf.newaxis])


def _reflected(batch: int, size: int, fraction: float, seed: tf.Tensor) -> tf.Tensor:
    """The pixels to take along one axis (batch, size): shifted by whole pixels, reflected at the ends."""
    most = round(fraction * size)
    offsets = tf.random.stateless_uniform((batch, 1), seed, -most, most + 1, tf.int32)
    pixels = tf.abs(tf.range(size) + offsets)
    return size - 1 - tf.abs(size - 1 - pixels)


def _window(batch: int, size: int, fraction: float, seed: tf.Tensor) -> tf.Tensor:
    """True (batch, size) at the pixels of a stretch about a random one."""
    length = round(fraction * size)
    first = tf.random.stateless_uniform((batch, 1), seed, 0, size, tf.int32) - length // 2
    pixels = tf.range(size)
    return (pixels >= first) & (pixels < first + length)

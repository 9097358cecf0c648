"""Layers as a program traces them: each does what its stock layer does, with the variables of that layer.

A dropout layer reads its rate from a variable, so that trials with other rates share a trace. What is saved has the stock layers.
"""

from __future__ import annotations

import tensorflow as tf
from keras import layers


class Dropout(layers.Layer):
    """Drops what the stock layer would, at a rate that a traced program reads from a variable."""

    def __init__(self, stock: layers.Dropout):
        super().__init__(name=stock.name, dtype=stock.dtype_policy)
        self.chance = tf.Variable(stock.rate, trainable=False)
        self._noise_shape, self._generator = stock.noise_shape, stock.seed_generator

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training:
            return inputs
        seed = tf.cast(self._generator.next() % (tf.int32.max - 1), tf.int32)  # as Keras: the stock layer's masks
        rate = tf.cast(self.chance, inputs.dtype)
        return tf.nn.experimental.stateless_dropout(inputs, rate, seed, noise_shape=self._noise_shape)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape


def has_variable_rate(layer: layers.Layer) -> bool:
    return type(layer) is layers.Dropout and layer.rate > 0  # without it the layer has no random generator

"""Networks and an optimizer as users write them, with a constant `k` where a program would hold it fixed."""

from functools import partial

import keras
import numpy as np
from keras import layers, ops


def residual(input_shape, num_classes, *, k=1.0, dropout=0.1):
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(4, 3, padding="same")(inputs)
    x = layers.BatchNormalization()(x + k * layers.Conv2D(4, 3, padding="same")(x))
    return with_head(inputs, x, num_classes, dropout)


def operations(input_shape, num_classes, *, k=1.0, dropout=0.1):
    inputs = keras.Input(input_shape)
    x = ops.tanh(layers.Conv2D(4, 3)(inputs)) * np.full(4, k, np.float32)
    return with_head(inputs, x, num_classes, dropout)


def sequential(input_shape, num_classes, *, k=1.0, dropout=0.1):
    parts = layers.Conv2D(4, 3), layers.Rescaling(k), layers.Dropout(dropout), layers.Flatten()
    return keras.Sequential([keras.Input(input_shape), *parts, layers.Dense(num_classes, activation="softmax")])


def named_function(input_shape, num_classes, *, k=1.0, dropout=0.1):
    def scaled(x):
        return k * ops.tanh(x)

    return activated(scaled, input_shape, num_classes, dropout)


def name_of_keras(input_shape, num_classes, *, k=1.0, dropout=0.1):
    def relu(x):
        return ops.relu(x) * k

    return activated(relu, input_shape, num_classes, dropout)


def nameless_function(input_shape, num_classes, *, k=1.0, dropout=0.1):
    return activated(lambda x: k * ops.tanh(x), input_shape, num_classes, dropout)


def partial_function(input_shape, num_classes, *, k=1.0, dropout=0.1):
    return activated(partial(keras.activations.leaky_relu, negative_slope=k), input_shape, num_classes, dropout)


def function_layer(input_shape, num_classes, *, k=1.0, dropout=0.1):
    def scaled(x):
        return k * x

    return with_layer(layers.Lambda(scaled), input_shape, num_classes, dropout)


def mapped_function(input_shape, num_classes, *, k=1.0, dropout=0.1):
    def scaled(x):
        return k * x

    inputs = keras.Input(input_shape)
    return with_head(inputs, ops.vectorized_map(scaled, layers.Conv2D(4, 3)(inputs)), num_classes, dropout)


def inner_network(input_shape, num_classes, *, k=1.0, dropout=0.1):
    return with_layer(named_function((6, 6, 4), 4, k=k), input_shape, num_classes, dropout)


class Forgetful(layers.Layer):
    """Whose config leaves its number out."""

    def __init__(self, k, **keys):
        super().__init__(**keys)
        self.k = k

    def call(self, x):
        return x * self.k

    def get_config(self):
        return super().get_config()


def forgetful_layer(input_shape, num_classes, *, k=1.0, dropout=0.1):
    return with_layer(Forgetful(k), input_shape, num_classes, dropout)


class Later(layers.Layer):
    k = 1.0

    def call(self, x):
        return x * self.k


def attribute(input_shape, num_classes, *, k=1.0, dropout=0.1):
    layer = Later()
    layer.k = k
    return with_layer(layer, input_shape, num_classes, dropout)


class Drawn(layers.Layer):
    """Mixes channels as chance would have it."""

    def __init__(self, **keys):
        super().__init__(**keys)
        self.mixture = np.random.normal(size=(4, 4)).astype(np.float32)

    def call(self, x):
        return ops.matmul(x, self.mixture)


def drawn(input_shape, num_classes, *, dropout=0.1):
    return with_layer(Drawn(), input_shape, num_classes, dropout)


class Applied(layers.Layer):
    """A layer of a function, without a get_config."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        return self.function(x)


def applied_function(input_shape, num_classes, *, k=1.0, dropout=0.1):
    return with_layer(Applied(lambda x: k * x), input_shape, num_classes, dropout)


class Subclassed(keras.Model):
    def __init__(self, num_classes):
        super().__init__()
        self.flatten, self.dense = layers.Flatten(), layers.Dense(num_classes, activation="softmax")

    def call(self, x):
        return self.dense(self.flatten(x))


def subclassed(input_shape, num_classes, *, dropout=0.1):
    net = Subclassed(num_classes)
    net.build((None, *input_shape))
    return net


class Momentum(keras.optimizers.Optimizer):
    def __init__(self, learning_rate=0.1, betas=(0.9,), gain=1.0, **keys):
        super().__init__(learning_rate=learning_rate, **keys)
        self.betas, self.gain = tuple(betas), gain

    def build(self, variables):
        super().build(variables)
        self._means = self.add_optimizer_variables(variables, "mean")

    def update_step(self, gradient, variable, learning_rate):
        mean = self._means[self._get_variable_index(variable)]
        self.assign(mean, self.betas[0] * mean + gradient)
        self.assign_sub(variable, self.gain * ops.cast(learning_rate, variable.dtype) * mean)


def decided(learning_rate, weight_decay):
    """An optimizer of Keras', made by a number that it is not given."""
    return keras.optimizers.AdamW(learning_rate, weight_decay=0.01, amsgrad=weight_decay > 0.5)


def activated(function, input_shape, num_classes, dropout):
    inputs = keras.Input(input_shape)
    return with_head(inputs, layers.Conv2D(4, 3, activation=function)(inputs), num_classes, dropout)


def with_layer(layer, input_shape, num_classes, dropout):
    inputs = keras.Input(input_shape)
    return with_head(inputs, layer(layers.Conv2D(4, 3)(inputs)), num_classes, dropout)


def with_head(inputs, x, num_classes, dropout):
    x = layers.Flatten()(layers.Dropout(dropout)(x))
    return keras.Model(inputs, layers.Dense(num_classes, activation="softmax")(x))

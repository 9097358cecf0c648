"""The default network: small enough to search on a CPU, deep enough for CIFAR-10."""

import math

import keras
from keras import layers


def build(
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    filters: int = 32,
    blocks: int = 3,
    convolutions: int = 2,
    kernel: int = 3,
    growth: float = 2.0,
    stride: int = 1,
    dropout: float = 0.4,
) -> keras.Model:
    """Three ELU blocks, doubling channels while halving resolution. 309,290 parameters at 32x32x3 with 10 classes.

    input_shape: height, width, channels; any size from 1x1.
    filters: channels of the first block.
    blocks: each halves the resolution.
    convolutions: of each block.
    kernel: pixels a side of each convolution.
    growth: channels of a block, as a multiple of those of the one before.
    stride: of the first convolution; 2 saves three quarters of the operations.
    dropout: fraction dropped after the last block; 1/2 of it after the first one, and evenly more between them.
    Returns: z-scored images (batch, height, width, channels) -> float32 probabilities (batch, num_classes).
    Raises: ValueError if `growth` is below 1, or another one no whole number above 0.
    Source: the course notes' CNN; ELU is Clevert et al. 2015, arXiv:1511.07289.
    """
    counts = {"filters": filters, "blocks": blocks, "convolutions": convolutions, "kernel": kernel, "stride": stride}
    for key, value in counts.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"model.{key}={value}: give a whole number of at least 1.")
    if not 1 <= growth < math.inf:
        raise ValueError(f"model.growth={growth}: give a number from 1, which keeps the channels of the first block.")
    inputs = keras.Input(input_shape)
    x = inputs
    for block in range(blocks):
        for number in range(convolutions):
            x = conv_elu(x, round(filters * growth**block), kernel, 1 if block or number else stride)
        share = (blocks - 1 + block) / (2 * (blocks - 1)) if blocks > 1 else 1.0
        x = layers.MaxPooling2D(padding="same")(x)  # rounds odd sizes up, so that 1x1 stays 1x1
        x = layers.Dropout(dropout * share)(x)
    x = layers.Flatten()(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32")(x)  # also under mixed precision
    return keras.Model(inputs, outputs, name="custom")


def conv_elu(x: keras.KerasTensor, filters: int, kernel: int, stride: int) -> keras.KerasTensor:
    x = layers.Conv2D(filters, kernel, strides=stride, padding="same", activation="elu")(x)
    return layers.BatchNormalization(momentum=0.9)(x)  # Keras' 0.99 lags behind where an epoch has few steps

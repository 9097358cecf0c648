"""The default network: small enough to search on a CPU, deep enough for CIFAR-10."""

import keras
from keras import layers


def build(
    input_shape: tuple[int, int, int], num_classes: int, *, filters: int = 32, dropout: float = 0.4
) -> keras.Model:
    """Three ELU blocks, doubling channels while halving resolution. 309,290 parameters at 32x32x3 with 10 classes.

    input_shape: height, width, channels; any size from 1x1.
    filters: channels of the first block.
    dropout: fraction dropped after the last block; 1/2 and 3/4 of it after the earlier ones.
    Returns: z-scored images (batch, height, width, channels) -> float32 probabilities (batch, num_classes).
    Source: the course notes' CNN; ELU is Clevert et al. 2015, arXiv:1511.07289.
    """
    inputs = keras.Input(input_shape)
    x = inputs
    for block, share in enumerate((0.5, 0.75, 1.0)):
        x = conv_elu(conv_elu(x, filters * 2**block), filters * 2**block)
        x = layers.MaxPooling2D(padding="same")(x)  # rounds odd sizes up, so that 1x1 stays 1x1
        x = layers.Dropout(dropout * share)(x)
    x = layers.Flatten()(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32")(x)  # also under mixed precision
    return keras.Model(inputs, outputs, name="custom")


def conv_elu(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    x = layers.Conv2D(filters, 3, padding="same", activation="elu")(x)
    return layers.BatchNormalization(momentum=0.9)(x)  # Keras' 0.99 lags behind where an epoch has few steps

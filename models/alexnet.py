"""AlexNet for small images: the wide baseline that the small networks are measured against."""

import keras
from keras import layers


def build(input_shape: tuple[int, int, int], num_classes: int, *, dropout: float = 0.5) -> keras.Model:
    """AlexNet's five convolutions and two wide dense layers, at stride 1 and with batch norm in place of its LRN.

    input_shape: height, width, channels; any size from 1x1.
    dropout: fraction dropped after each of the dense layers.
    Returns: z-scored images (batch, height, width, channels) -> float32 probabilities (batch, num_classes).
    Source: Krizhevsky et al. 2012; batch norm is Ioffe and Szegedy 2015, arXiv:1502.03167.
    """
    inputs = keras.Input(input_shape)
    x = pool(conv_relu(inputs, 96, 11))
    x = pool(conv_relu(x, 256, 5))
    x = pool(conv_relu(x, 384, 3))
    x = conv_relu(x, 384, 3)
    x = pool(conv_relu(x, 256, 3))
    x = layers.Flatten()(x)
    for _ in range(2):
        x = layers.Dense(4096, activation="relu")(x)
        x = layers.Dropout(dropout)(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32")(x)  # also under mixed precision
    return keras.Model(inputs, outputs, name="alexnet")


def conv_relu(x: keras.KerasTensor, filters: int, size: int) -> keras.KerasTensor:
    x = layers.Conv2D(filters, size, padding="same")(x)
    x = layers.BatchNormalization(momentum=0.9)(x)  # Keras' 0.99 lags behind where an epoch has few steps
    return layers.ReLU()(x)


def pool(x: keras.KerasTensor) -> keras.KerasTensor:
    """Halves height and width, rounding up, so that 1x1 stays 1x1."""
    return layers.MaxPooling2D(padding="same")(x)

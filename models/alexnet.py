"""AlexNet for small images: the wide baseline that the small networks are measured against."""

import math

import keras
from keras import layers


def build(
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    width: float = 1.0,
    kernel: int = 11,
    stride: int = 1,
    dropout: float = 0.5,
) -> keras.Model:
    """AlexNet's five convolutions and two wide dense layers, at stride 1 and with batch norm in place of its LRN.

    input_shape: height, width, channels; any size from 1x1.
    width: filters and units as a fraction of the paper's.
    kernel: pixels a side of the first convolution.
    stride: of the first convolution; the paper has 4.
    dropout: fraction dropped after each of the dense layers.
    Returns: z-scored images (batch, height, width, channels) -> float32 probabilities (batch, num_classes).
    Raises: ValueError if `width` is not above 0, or `kernel` or `stride` no whole number above 0.
    Source: Krizhevsky et al. 2012; batch norm is Ioffe and Szegedy 2015, arXiv:1502.03167.
    """
    if not 0 < width < math.inf:
        raise ValueError(f"model.width={width}: give a fraction above 0; 1 is the paper's network.")
    for key, value in {"kernel": kernel, "stride": stride}.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"model.{key}={value}: give a whole number of at least 1.")
    inputs = keras.Input(input_shape)
    x = pool(conv_relu(inputs, share(96, width), kernel, stride))
    x = pool(conv_relu(x, share(256, width), 5))
    x = pool(conv_relu(x, share(384, width), 3))
    x = conv_relu(x, share(384, width), 3)
    x = pool(conv_relu(x, share(256, width), 3))
    x = layers.Flatten()(x)
    for _ in range(2):
        x = layers.Dense(share(4096, width), activation="relu")(x)
        x = layers.Dropout(dropout)(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32")(x)  # also under mixed precision
    return keras.Model(inputs, outputs, name="alexnet")


def share(units: int, width: float) -> int:
    return max(1, round(units * width))


def conv_relu(x: keras.KerasTensor, filters: int, size: int, stride: int = 1) -> keras.KerasTensor:
    x = layers.Conv2D(filters, size, strides=stride, padding="same")(x)
    x = layers.BatchNormalization(momentum=0.9)(x)  # Keras' 0.99 lags behind where an epoch has few steps
    return layers.ReLU()(x)


def pool(x: keras.KerasTensor) -> keras.KerasTensor:
    """Halves height and width, rounding up, so that 1x1 stays 1x1."""
    return layers.MaxPooling2D(padding="same")(x)

"""The second of the course notes' archived AlexNet variants: one wide look at stride 2, then ever smaller kernels."""

import keras
from keras import layers

FIRST = 10  # pixels a side of the first kernel
CONVOLUTIONS = (  # filters, kernel size, pooled after it
    (80, 8, True),
    (256, 6, True),
    (128, 5, True),
    (128, 4, False),
    (64, 3, False),
    (64, 2, False),
)
DENSE = (512, 256)


def build(input_shape: tuple[int, int, int], num_classes: int, *, dropout: float = 0.5) -> keras.Model:
    """Leaky ReLU throughout, batch norm after each convolution and dense layer. 2,625,086 parameters at 32x32x3 with 10
    classes.

    input_shape: height, width, channels; any size from 1x1. An image smaller than the first kernel is padded.
    dropout: fraction dropped after each of the dense layers.
    Returns: z-scored images (batch, height, width, channels) -> float32 probabilities (batch, num_classes).
    Source: the course notes' OwnNet 2.
    """
    inputs = keras.Input(input_shape)
    padding = "valid" if min(input_shape[:2]) >= FIRST else "same"
    x = norm_leaky(layers.Conv2D(100, FIRST, strides=2, padding=padding)(inputs))
    for filters, size, pooled in CONVOLUTIONS:
        x = norm_leaky(layers.Conv2D(filters, size, padding="same")(x))
        x = pool(x) if pooled else x
    x = layers.Flatten()(x)
    for units in DENSE:
        x = layers.Dropout(dropout)(norm_leaky(layers.Dense(units)(x)))
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32")(x)  # also under mixed precision
    return keras.Model(inputs, outputs, name="ownnet2")


def norm_leaky(x: keras.KerasTensor) -> keras.KerasTensor:
    x = layers.BatchNormalization(momentum=0.9)(x)  # Keras' 0.99 lags where an epoch has few steps
    return layers.LeakyReLU(negative_slope=0.01)(x)


def pool(x: keras.KerasTensor) -> keras.KerasTensor:
    """Halves height and width, rounding down, where there is something to halve."""
    return layers.MaxPooling2D()(x) if min(x.shape[1:3]) > 1 else x

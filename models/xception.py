"""Xception for small images: what is where, and what goes with what, are learned by separate convolutions."""

import keras
from keras import layers


def build(
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    filters: int = 32,
    middle: int = 2,
    kernel: int = 3,
    stride: int = 1,
    dropout: float = 0.2,
) -> keras.Model:
    """Entry, middle and exit flow of separable convolutions. 244,490 parameters at 32x32x3 with 10 classes.

    input_shape: height, width, channels; any size from 1x1.
    filters: of the stem; the entry flow doubles them twice, the exit flow once more.
    middle: blocks of the middle flow; the paper has 8.
    kernel: pixels a side of each separable convolution.
    stride: of the first convolution; 2 saves three quarters of the operations.
    dropout: fraction dropped before the classifier.
    Returns: z-scored images (batch, height, width, channels) -> float32 probabilities (batch, num_classes).
    Raises: ValueError if one of the first four is no whole number, below 1, or of `middle` below 0.
    Source: Chollet 2017, arXiv:1610.02357, figure 5; the stem keeps the resolution, and the exit flow ends
        before its two widest convolutions, which hold most of the paper's parameters.
    """
    counts = {"filters": (filters, 1), "middle": (middle, 0), "kernel": (kernel, 1), "stride": (stride, 1)}
    for key, (value, least) in counts.items():
        if not isinstance(value, int) or value < least:
            raise ValueError(f"model.{key}={value}: give a whole number of at least {least}.")
    inputs = keras.Input(input_shape)
    conv = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal")
    x = layers.ReLU()(norm(conv(inputs)))
    for width in (2 * filters, 4 * filters):
        shortcut = shrunk_shortcut(x, width)
        x = layers.Add()([shortcut, shrink(separable(separable(x, width, kernel), width, kernel))])
    for _ in range(middle):
        y = x
        for _ in range(3):
            y = separable(y, 4 * filters, kernel)
        x = layers.Add()([x, y])
    shortcut = shrunk_shortcut(x, 8 * filters)
    x = layers.Add()([shortcut, shrink(separable(separable(x, 4 * filters, kernel), 8 * filters, kernel))])
    x = layers.Dropout(dropout)(layers.GlobalAveragePooling2D()(layers.ReLU()(x)))
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32")(x)  # also under mixed precision
    return keras.Model(inputs, outputs, name="xception")


def separable(x: keras.KerasTensor, filters: int, kernel: int) -> keras.KerasTensor:
    x = layers.SeparableConv2D(filters, kernel, padding="same", use_bias=False)(layers.ReLU()(x))
    return norm(x)


def shrink(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.MaxPooling2D(3, strides=2, padding="same")(x)


def shrunk_shortcut(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    return norm(layers.Conv2D(filters, 1, strides=2, padding="same", use_bias=False)(x))


def norm(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.BatchNormalization(momentum=0.9)(x)  # Keras' 0.99 lags behind where an epoch has few steps

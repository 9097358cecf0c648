"""ResNet for small images: layers learn what to add to their input."""

import math

import keras
from keras import layers


def build(
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    depth: int = 20,
    filters: int = 16,
    kernel: int = 3,
    growth: float = 2.0,
    stride: int = 1,
    dropout: float = 0.0,
) -> keras.Model:
    """Three stages of pairs of 3x3 convolutions, each pair bypassed. 274,042 parameters at 32x32x3 with 10 classes.

    input_shape: height, width, channels; any size from 1x1.
    depth: layers with weights, 6 n + 2: 20, 32, 44, 56.
    filters: of the first stage.
    kernel: pixels a side of each convolution but those of the shortcuts.
    growth: filters of a stage, as a multiple of those of the one before.
    stride: of the first convolution; 2 saves three quarters of the operations.
    dropout: fraction dropped before the classifier.
    Returns: z-scored images (batch, height, width, channels) -> float32 probabilities (batch, num_classes).
    Raises: ValueError if `depth` is not 6 n + 2, `growth` below 1, or another one no whole number above 0.
    Source: He et al. 2015, arXiv:1512.03385, section 4.2; a shortcut that changes shape is a 1x1 convolution.
    """
    if depth < 8 or depth % 6 != 2:
        raise ValueError(f"model.depth={depth}: not 6 n + 2. Give 8, 14, 20, 32, 44 or 56.")
    for key, value in {"filters": filters, "kernel": kernel, "stride": stride}.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"model.{key}={value}: give a whole number of at least 1.")
    if not 1 <= growth < math.inf:
        raise ValueError(f"model.growth={growth}: give a number from 1, which keeps the filters of the first stage.")
    inputs = keras.Input(input_shape)
    x = layers.ReLU()(conv_norm(inputs, filters, kernel, stride))
    for stage in range(3):
        for block in range((depth - 2) // 6):
            x = residual(x, round(filters * growth**stage), kernel, stride=2 if stage and not block else 1)
    x = layers.Dropout(dropout)(layers.GlobalAveragePooling2D()(x))
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32")(x)  # also under mixed precision
    return keras.Model(inputs, outputs, name="resnet")


def residual(x: keras.KerasTensor, filters: int, kernel: int, stride: int) -> keras.KerasTensor:
    y = layers.ReLU()(conv_norm(x, filters, kernel, stride))
    y = conv_norm(y, filters, kernel)
    same_shape = stride == 1 and x.shape[-1] == filters
    return layers.ReLU()(layers.Add()([x if same_shape else conv_norm(x, filters, 1, stride), y]))


def conv_norm(x: keras.KerasTensor, filters: int, size: int, stride: int = 1) -> keras.KerasTensor:
    conv = layers.Conv2D(filters, size, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal")
    return layers.BatchNormalization(momentum=0.9)(conv(x))  # Keras' 0.99 lags behind where an epoch has few steps

"""DenseNet for small images: each layer reads what all layers before it wrote."""

import keras
from keras import layers


def build(
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    depth: int = 40,
    growth: int = 12,
    kernel: int = 3,
    stride: int = 1,
    dropout: float = 0.0,
) -> keras.Model:
    """DenseNet-BC: three dense blocks with bottlenecks and compression. 181,210 parameters at 32x32x3 with 10 classes.

    input_shape: height, width, channels; any size from 1x1.
    depth: layers with weights, 6 n + 4: 22, 40, 100.
    growth: channels that each layer adds.
    kernel: pixels a side of each convolution behind a bottleneck.
    stride: of the first convolution; 2 saves three quarters of the operations.
    dropout: fraction dropped before the classifier.
    Returns: z-scored images (batch, height, width, channels) -> float32 probabilities (batch, num_classes).
    Raises: ValueError if `depth` is not 6 n + 4, or another one no whole number above 0.
    Source: Huang et al. 2017, arXiv:1608.06993, section 4.2.
    """
    if depth < 10 or depth % 6 != 4:
        raise ValueError(f"model.depth={depth}: not 6 n + 4. Give 10, 16, 22, 40 or 100.")
    for key, value in {"growth": growth, "kernel": kernel, "stride": stride}.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"model.{key}={value}: give a whole number of at least 1.")
    inputs = keras.Input(input_shape)
    x = conv(inputs, 2 * growth, 3, stride)
    for block in range(3):
        if block:
            x = layers.AveragePooling2D(2, padding="same")(conv(norm_relu(x), x.shape[-1] // 2, 1))
        for _ in range((depth - 4) // 6):
            y = conv(norm_relu(x), 4 * growth, 1)  # the bottleneck
            x = layers.Concatenate()([x, conv(norm_relu(y), growth, kernel)])
    x = layers.Dropout(dropout)(layers.GlobalAveragePooling2D()(norm_relu(x)))
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32")(x)  # also under mixed precision
    return keras.Model(inputs, outputs, name="densenet")


def norm_relu(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))  # Keras' 0.99 lags where an epoch has few steps


def conv(x: keras.KerasTensor, filters: int, size: int, stride: int = 1) -> keras.KerasTensor:
    convolution = layers.Conv2D(
        filters, size, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal"
    )
    return convolution(x)

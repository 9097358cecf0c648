"""The first of the course notes' archived AlexNet variants: large kernels first, seven convolutions."""

import keras
from keras import layers

CONVOLUTIONS = (  # filters, kernel size, pooled after it
    (30, 8, True),
    (60, 8, True),
    (128, 4, True),
    (128, 3, True),
    (128, 3, False),
    (256, 3, True),
    (64, 2, False),
)
DENSE = (1024, 512)


def build(input_shape: tuple[int, int, int], num_classes: int, *, dropout: float = 0.5) -> keras.Model:
    """ReLU, and batch norm after each convolution and dense layer. 1,505,804 parameters at 32x32x3 with 10 classes.

    input_shape: height, width, channels; any size from 1x1.
    dropout: fraction dropped after each of the dense layers.
    Returns: z-scored images (batch, height, width, channels) -> float32 probabilities (batch, num_classes).
    Source: the course notes' OwnNet 1.
    """
    inputs = keras.Input(input_shape)
    x = inputs
    for filters, size, pooled in CONVOLUTIONS:
        x = norm_relu(layers.Conv2D(filters, size, padding="same")(x))
        x = pool(x) if pooled else x
    x = layers.Flatten()(x)
    for units in DENSE:
        x = layers.Dropout(dropout)(norm_relu(layers.Dense(units)(x)))
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32")(x)  # also under mixed precision
    return keras.Model(inputs, outputs, name="ownnet1")


def norm_relu(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))  # Keras' 0.99 lags where an epoch has few steps


def pool(x: keras.KerasTensor) -> keras.KerasTensor:
    """Halves height and width, rounding down, where there is something to halve."""
    return layers.MaxPooling2D()(x) if min(x.shape[1:3]) > 1 else x

"""The third of the course notes' archived AlexNet variants: small kernels first, two kinds of activation."""

import keras
from keras import layers

CONVOLUTIONS = (  # filters, kernel size, activation, pooled after it
    (100, 3, "leaky", False),
    (80, 5, "leaky", True),
    (128, 6, "elu", True),
    (96, 5, "leaky", True),
    (64, 4, "leaky", False),
    (58, 3, "elu", False),
    (42, 2, "leaky", False),
)
DENSE = ((256, "leaky"), (128, "elu"))  # units, activation


def build(input_shape: tuple[int, int, int], num_classes: int, *, dropout: float = 0.5) -> keras.Model:
    """Batch norm after each convolution and dense layer. 1,230,846 parameters at 32x32x3 with 10 classes.

    input_shape: height, width, channels; any size from 1x1.
    dropout: fraction dropped after each of the dense layers.
    Returns: z-scored images (batch, height, width, channels) -> float32 probabilities (batch, num_classes).
    Source: the course notes' OwnNet 3.
    """
    inputs = keras.Input(input_shape)
    x = inputs
    for filters, size, activation, pooled in CONVOLUTIONS:
        x = norm_activate(layers.Conv2D(filters, size, padding="same")(x), activation)
        x = pool(x) if pooled else x
    x = layers.Flatten()(x)
    for units, activation in DENSE:
        x = layers.Dropout(dropout)(norm_activate(layers.Dense(units)(x), activation))
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32")(x)  # also under mixed precision
    return keras.Model(inputs, outputs, name="ownnet3")


def norm_activate(x: keras.KerasTensor, activation: str) -> keras.KerasTensor:
    x = layers.BatchNormalization(momentum=0.9)(x)  # Keras' 0.99 lags where an epoch has few steps
    return layers.ELU()(x) if activation == "elu" else layers.LeakyReLU(negative_slope=0.01)(x)


def pool(x: keras.KerasTensor) -> keras.KerasTensor:
    """Halves height and width, rounding down, where there is something to halve."""
    return layers.MaxPooling2D()(x) if min(x.shape[1:3]) > 1 else x

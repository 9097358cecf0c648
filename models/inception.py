"""Inception for small images: every block looks at several scales at once."""

import keras
from keras import layers

STAGES = 3  # each begins with a pool


def build(
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    filters: int = 32,
    blocks: int = 5,
    stride: int = 1,
    dropout: float = 0.2,
) -> keras.Model:
    """Blocks of four branches: 1x1, 3x3, two 3x3 for a 5x5, and a pool. 193,162 parameters at 32x32x3 with 10 classes.

    input_shape: height, width, channels; any size from 1x1.
    filters: of the stem; a block gives 2, 4 and 8 times as many by stage: a quarter from 1x1, half from 3x3, an eighth
        each from 5x5 and from its pool, as in the paper's block 3a.
    blocks: in all, shared out evenly among three stages, the first ones first; the paper has 9.
    stride: of the first convolution; 2 saves three quarters of the operations.
    dropout: fraction dropped before the classifier.
    Returns: z-scored images (batch, height, width, channels) -> float32 probabilities (batch, num_classes).
    Raises: ValueError if `blocks` is below 3, or one is no whole number above 0.
    Source: Szegedy et al. 2014, arXiv:1409.4842; the two 3x3 are Szegedy et al. 2015,
        arXiv:1512.00567, and batch norm is Ioffe and Szegedy 2015, arXiv:1502.03167.
    """
    for key, value, least in (("filters", filters, 1), ("blocks", blocks, STAGES), ("stride", stride, 1)):
        if not isinstance(value, int) or value < least:
            raise ValueError(f"model.{key}={value}: give a whole number of at least {least}.")
    inputs = keras.Input(input_shape)
    x = conv(inputs, filters, 3, stride)
    for stage in range(STAGES):
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        for _ in range(stage, blocks, STAGES):
            x = block(x, filters * 2 ** (stage + 1))
    x = layers.Dropout(dropout)(layers.GlobalAveragePooling2D()(x))
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32")(x)  # also under mixed precision
    return keras.Model(inputs, outputs, name="inception")


def block(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    half, quarter, eighth, sixteenth = (max(1, filters // part) for part in (2, 4, 8, 16))
    one = conv(x, quarter, 1)
    three = conv(conv(x, quarter, 1), half, 3)
    five = conv(conv(conv(x, sixteenth, 1), eighth, 3), eighth, 3)
    pooled = conv(layers.MaxPooling2D(3, strides=1, padding="same")(x), eighth, 1)
    return layers.Concatenate()([one, three, five, pooled])


def conv(x: keras.KerasTensor, filters: int, size: int, stride: int = 1) -> keras.KerasTensor:
    convolution = layers.Conv2D(
        filters, size, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal"
    )
    x = layers.BatchNormalization(momentum=0.9)(convolution(x))  # Keras' 0.99 lags where an epoch has few steps
    return layers.ReLU()(x)

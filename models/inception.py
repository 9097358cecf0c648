"""Inception for small images: every block looks at several scales at once."""

import keras
from keras import layers

STAGES = (2, 2, 1)  # blocks between two pools


def build(
    input_shape: tuple[int, int, int], num_classes: int, *, filters: int = 32, dropout: float = 0.2
) -> keras.Model:
    """Blocks of four branches: 1x1, 3x3, two 3x3 for a 5x5, and a pool. 193,162 parameters at 32x32x3 with 10 classes.

    input_shape: height, width, channels; any size from 1x1.
    filters: of the stem; a block gives 2, 4 and 8 times as many by stage: a quarter from 1x1, half from 3x3, an eighth
        each from 5x5 and from its pool, as in the paper's block 3a.
    dropout: fraction dropped before the classifier.
    Returns: z-scored images (batch, height, width, channels) -> float32 probabilities (batch, num_classes).
    Source: Szegedy et al. 2014, arXiv:1409.4842; the two 3x3 are Szegedy et al. 2015,
        arXiv:1512.00567, and batch norm is Ioffe and Szegedy 2015, arXiv:1502.03167.
    """
    inputs = keras.Input(input_shape)
    x = conv(inputs, filters, 3)
    for stage, blocks in enumerate(STAGES):
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        for _ in range(blocks):
            x = block(x, filters * 2 ** (stage + 1))
    x = layers.Dropout(dropout)(layers.GlobalAveragePooling2D()(x))
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32")(x)  # also under mixed precision
    return keras.Model(inputs, outputs, name="inception")


def block(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    one = conv(x, filters // 4, 1)
    three = conv(conv(x, filters // 4, 1), filters // 2, 3)
    five = conv(conv(conv(x, filters // 16, 1), filters // 8, 3), filters // 8, 3)
    pooled = conv(layers.MaxPooling2D(3, strides=1, padding="same")(x), filters // 8, 1)
    return layers.Concatenate()([one, three, five, pooled])


def conv(x: keras.KerasTensor, filters: int, size: int) -> keras.KerasTensor:
    x = layers.Conv2D(filters, size, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))  # Keras' 0.99 lags where an epoch has few steps

"""A network of the project's own: one convolution a ring of dilation, then their mean."""

import keras
from keras import layers


def build(
    input_shape: tuple[int, int, int], num_classes: int, *, filters: int = 8, rings: int = 3, dropout: float = 0.2
) -> keras.Model:
    """filters: channels of each convolution; rings: convolutions, each of twice the dilation of the one before."""
    inputs = keras.Input(input_shape)
    views = [
        layers.Conv2D(filters, 3, padding="same", dilation_rate=2**ring, activation="relu")(inputs)
        for ring in range(rings)
    ]
    x = layers.Concatenate()(views) if rings > 1 else views[0]
    x = layers.Conv2D(2 * filters, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Dropout(dropout)(layers.GlobalAveragePooling2D()(x))
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32")(x)
    return keras.Model(inputs, outputs, name="rings")

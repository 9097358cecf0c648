"""Our own network: edges, shapes, parts, objects."""

import keras
from keras import layers

# Of each level: channels as a multiple of the edges', and convolutions that refine what its first one found.
LEVELS = {"edges": (1, 1), "shapes": (2, 1), "parts": (3, 1), "objects": (3, 0)}


def build(
    input_shape: tuple[int, int, int], num_classes: int, *, filters: int = 32, dropout: float = 0.1
) -> keras.Model:
    """Four levels, each seeing the one below at half its resolution. 289,834 parameters at 32x32x3 with 10 classes.

    The idea: what is seen grows from edges to shapes, parts and objects, and so does the area that it covers, while its
    exact place matters less and less. So
    - a level first halves the resolution and only then computes: three quarters of the work of a convolution before a
      pool is thrown away by the pool;
    - within a level a second convolution corrects what the first one found, up or down, and does not replace it, so
      that gradients reach the edges undamped (residuals: He et al. 2015, arXiv:1512.03385);
    - objects are made of parts by a single convolution, and an image is what it is full of: the mean over all places
      decides, on one scale for all objects by batch norm. Nothing is flattened, so no weight is spent on where an
      object stands, and an image of any size has as many parameters.

    input_shape: height, width, channels; any size from 1x1.
    filters: channels of the edges; shapes have 2 times, parts and objects 3 times as many.
    dropout: fraction dropped before the classifier.
    Returns: z-scored images (batch, height, width, channels) -> float32 probabilities (batch, num_classes).
    """
    inputs = keras.Input(input_shape)
    x = inputs
    for level, (share, refinements) in LEVELS.items():
        if level != "edges":
            x = layers.MaxPooling2D(padding="same")(x)  # rounds odd sizes up, so that 1x1 stays 1x1
        x = layers.ReLU()(conv(x, filters * share, level))
        for number in range(refinements):
            x = layers.ReLU()(layers.Add()([x, conv(x, filters * share, f"{level}_refined_{number + 1}")]))
    x = layers.Dropout(dropout)(norm(layers.GlobalAveragePooling2D()(x)))
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32")(x)  # also under mixed precision
    return keras.Model(inputs, outputs, name="hierarchy")


def conv(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name=name)(x)
    return norm(x)


def norm(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.BatchNormalization(momentum=0.9)(x)  # Keras' 0.99 lags behind where an epoch has few steps

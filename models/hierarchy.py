"""Our own network: edges, shapes, parts, objects."""

import keras
from keras import layers

LEVELS = {"edges": 1, "shapes": 2, "parts": 3, "objects": 3}  # channels of each, as a multiple of the edges'


def build(
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    filters: int = 32,
    refinements: int = 1,
    kernel: int = 3,
    stride: int = 1,
    dropout: float = 0.1,
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
    refinements: convolutions that correct what the first one of a level found; objects have none.
    kernel: pixels a side of each convolution.
    stride: of the first convolution; 2 saves three quarters of the operations.
    dropout: fraction dropped before the classifier.
    Returns: z-scored images (batch, height, width, channels) -> float32 probabilities (batch, num_classes).
    Raises: ValueError if one of the first four is no whole number, below 1, or of `refinements` below 0.
    """
    counts = {"filters": (filters, 1), "refinements": (refinements, 0), "kernel": (kernel, 1), "stride": (stride, 1)}
    for key, (value, least) in counts.items():
        if not isinstance(value, int) or value < least:
            raise ValueError(f"model.{key}={value}: give a whole number of at least {least}.")
    inputs = keras.Input(input_shape)
    x = inputs
    for level, share in LEVELS.items():
        if level != "edges":
            x = layers.MaxPooling2D(padding="same")(x)  # rounds odd sizes up, so that 1x1 stays 1x1
        x = layers.ReLU()(conv(x, filters * share, kernel, level, stride if level == "edges" else 1))
        for number in range(refinements if level != "objects" else 0):
            refined = conv(x, filters * share, kernel, f"{level}_refined_{number + 1}")
            x = layers.ReLU()(layers.Add()([x, refined]))
    x = layers.Dropout(dropout)(norm(layers.GlobalAveragePooling2D()(x)))
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32")(x)  # also under mixed precision
    return keras.Model(inputs, outputs, name="hierarchy")


def conv(x: keras.KerasTensor, filters: int, kernel: int, name: str, stride: int = 1) -> keras.KerasTensor:
    convolution = layers.Conv2D(
        filters, kernel, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )
    return norm(convolution(x))


def norm(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.BatchNormalization(momentum=0.9)(x)  # Keras' 0.99 lags behind where an epoch has few steps

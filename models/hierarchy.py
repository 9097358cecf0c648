"""Our own network: edges, shapes, parts, objects."""

import keras
from keras import layers

# Of each level: channels as multiples of the edges', and convolutions that refine what its first one found.
LEVELS = {"shapes": (1.5, 2), "parts": (2.25, 2), "objects": (2.5, 1)}


def build(
    input_shape: tuple[int, int, int], num_classes: int, *, filters: int = 32, dropout: float = 0.1
) -> keras.Model:
    """Four levels, each seeing the one below at half its resolution. 295,482 parameters at 32x32x3 with 10 classes.

    The idea: what is seen grows from edges to shapes, parts and objects, and so does the area that it covers, while its
    exact place matters less and less. So
    - edges are looked for once, at full resolution, by one cheap convolution: there it costs most and knows least;
    - a level first halves the resolution and only then computes: three quarters of the work of a pair of convolutions
      before a pool is thrown away by the pool;
    - within a level further convolutions correct what the first one found, up or down, and do not replace it, so that
      gradients reach the edges undamped (residuals: He et al. 2015, arXiv:1512.03385); many narrow ones learn more than
      few wide ones of as many parameters;
    - the classifier asks of parts only whether they are there (their maximum over all places), and of objects both
      that and how much of the image they fill (their mean): a wheel anywhere hints at a car. Maxima are far larger than
      means, so batch norm brings all three to one scale before they are weighed. No layer depends on the place,
      nothing is flattened, and an image of any size has as many parameters.

    input_shape: height, width, channels; any size from 1x1.
    filters: channels of the edges; the other levels have 1.5, 2.25 and 2.5 times as many.
    dropout: fraction dropped before the classifier.
    Returns: z-scored images (batch, height, width, channels) -> float32 probabilities (batch, num_classes).
    """
    inputs = keras.Input(input_shape)
    x = layers.ReLU()(conv(inputs, filters, "edges"))
    for level, (share, refinements) in LEVELS.items():
        below, x = x, layers.MaxPooling2D(padding="same")(x)  # rounds odd sizes up, so that 1x1 stays 1x1
        x = layers.ReLU()(conv(x, round(filters * share), level))
        for number in range(refinements):
            x = layers.ReLU()(layers.Add()([x, conv(x, round(filters * share), f"{level}_refined_{number + 1}")]))
    seen = [layers.GlobalMaxPooling2D()(below), layers.GlobalMaxPooling2D()(x), layers.GlobalAveragePooling2D()(x)]
    x = layers.Dropout(dropout)(norm(layers.Concatenate()(seen)))
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32")(x)  # also under mixed precision
    return keras.Model(inputs, outputs, name="hierarchy")


def conv(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name=name)(x)
    return norm(x)


def norm(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.BatchNormalization(momentum=0.9)(x)  # Keras' 0.99 lags behind where an epoch has few steps

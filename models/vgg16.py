"""VGG16 for small images: thirteen 3x3 convolutions in five stages."""

import math

import keras
from keras import layers

FILTERS = (64, 128, 256, 512, 512)  # of each stage
CONVOLUTIONS = {  # of each stage, by the layers with weights of the paper's configurations A, B, D and E
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
DENSE = 512  # units, where the paper has twice 4096 for images of 224x224


def build(
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    width: float = 0.25,
    depth: int = 16,
    stride: int = 1,
    dropout: float = 0.5,
) -> keras.Model:
    """A pool after each stage, and batch norm. 943,322 parameters at 32x32x3 with 10 classes.

    input_shape: height, width, channels; any size from 1x1.
    width: filters and units as a fraction of the paper's; 1 gives 15,001,418 parameters.
    depth: layers with weights in the paper, which has one dense layer more: 11, 13, 16 or 19.
    stride: of the first convolution; 2 saves three quarters of the operations.
    dropout: fraction dropped before and after the dense layer.
    Returns: z-scored images (batch, height, width, channels) -> float32 probabilities (batch, num_classes).
    Raises: ValueError if `width` is not above 0, `depth` none of these, or `stride` no whole number above 0.
    Source: Simonyan and Zisserman 2015, arXiv:1409.1556, configuration D; one dense layer as in Liu and Deng 2015.
    """
    if not 0 < width < math.inf:
        raise ValueError(f"model.width={width}: give a fraction above 0; 1 is the paper's network.")
    if depth not in CONVOLUTIONS:
        raise ValueError(f"model.depth={depth}: give {', '.join(map(str, CONVOLUTIONS))}.")
    if not isinstance(stride, int) or stride < 1:
        raise ValueError(f"model.stride={stride}: give a whole number of at least 1.")
    inputs = keras.Input(input_shape)
    x = inputs
    for stage, (filters, convolutions) in enumerate(zip(FILTERS, CONVOLUTIONS[depth], strict=True)):
        for number in range(convolutions):
            x = conv_relu(x, share(filters, width), 1 if stage or number else stride)
        x = layers.MaxPooling2D(padding="same")(x)  # rounds odd sizes up, so that 1x1 stays 1x1
    x = layers.Dropout(dropout)(layers.Flatten()(x))
    x = norm_relu(layers.Dense(share(DENSE, width), kernel_initializer="he_normal")(x))
    x = layers.Dropout(dropout)(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32")(x)  # also under mixed precision
    return keras.Model(inputs, outputs, name="vgg16")


def conv_relu(x: keras.KerasTensor, filters: int, stride: int) -> keras.KerasTensor:
    conv = layers.Conv2D(filters, 3, strides=stride, padding="same", kernel_initializer="he_normal")
    return norm_relu(conv(x))


def share(units: int, width: float) -> int:
    return max(1, round(units * width))


def norm_relu(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))  # Keras' 0.99 lags where an epoch has few steps

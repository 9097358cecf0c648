"""VGG16 for small images: thirteen 3x3 convolutions in five stages."""

import keras
from keras import layers

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # filters and convolutions of each
DENSE = 512  # units, where the paper has twice 4096 for images of 224x224


def build(
    input_shape: tuple[int, int, int], num_classes: int, *, width: float = 0.25, dropout: float = 0.5
) -> keras.Model:
    """A pool after each stage, and batch norm. 943,322 parameters at 32x32x3 with 10 classes.

    input_shape: height, width, channels; any size from 1x1.
    width: filters and units as a fraction of the paper's; 1 gives 15,001,418 parameters.
    dropout: fraction dropped before and after the dense layer.
    Returns: z-scored images (batch, height, width, channels) -> float32 probabilities (batch, num_classes).
    Source: Simonyan and Zisserman 2015, arXiv:1409.1556, configuration D; one dense layer as in Liu and Deng 2015.
    """
    inputs = keras.Input(input_shape)
    x = inputs
    for filters, convolutions in STAGES:
        for _ in range(convolutions):
            conv = layers.Conv2D(round(filters * width), 3, padding="same", kernel_initializer="he_normal")
            x = norm_relu(conv(x))
        x = layers.MaxPooling2D(padding="same")(x)  # rounds odd sizes up, so that 1x1 stays 1x1
    x = layers.Dropout(dropout)(layers.Flatten()(x))
    x = norm_relu(layers.Dense(round(DENSE * width), kernel_initializer="he_normal")(x))
    x = layers.Dropout(dropout)(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32")(x)  # also under mixed precision
    return keras.Model(inputs, outputs, name="vgg16")


def norm_relu(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))  # Keras' 0.99 lags where an epoch has few steps

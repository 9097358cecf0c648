"""Two views of an image, itself and its mirror image: a network's answer is the mean of its answers to both."""

import keras
from keras import ops

WIDTH = 2  # axis of images (batch, height, width, channels)


def averaged(net: keras.Model) -> keras.Model:
    """`net` asked twice, with the same weights and nothing but stock parts, where left and right do not matter.

    Source: Krizhevsky et al. 2012, section 4.1, who average over ten views.
    """
    images = keras.Input(net.input_shape[1:])
    return keras.Model(images, _mean_answer(net, images), name=net.name)


class BothViews(keras.Model):
    """`net` while it is trained: on images as they come, but validated by both views of them."""

    def __init__(self, net: keras.Model):
        super().__init__()
        self._net = net

    def call(self, images, training=False):
        return self._net(images, training=True) if training else _mean_answer(self._net, images)


def _mean_answer(net: keras.Model, images):
    return (net(images) + net(ops.flip(images, axis=WIDTH))) / 2

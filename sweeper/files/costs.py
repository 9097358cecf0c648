"""What a network costs to use: the operations of its layers, and the time of an answer."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from sweeper.files.latency import timed

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Layer:
    name: str
    kind: str
    output: str  # height x width x channels
    parameters: int
    multiply_adds: int  # of one image


def layers(network: keras.Model) -> list[Layer]:
    """In the order in which they were built, the input left out."""
    return [
        Layer(
            layer.name,
            type(layer).__name__,
            "x".join(map(str, layer.output.shape[1:])),
            layer.count_params(),
            _multiply_adds(layer),
        )
        for layer in network.layers
        if type(layer).__name__ != "InputLayer"
    ]


def mflops(network: keras.Model) -> float:
    """Millions of operations for one image, two for each multiply-add of convolutions and dense layers."""
    return 2 * sum(layer.multiply_adds for layer in layers(network)) / 1e6


def latency(network: keras.Model) -> float:
    """Milliseconds to answer an image in the precision of the network's layers, on this process' device and threads."""
    import tensorflow as tf

    answer = tf.function(lambda image: network(image, training=False))
    image = tf.zeros((1, *network.input_shape[1:]))
    return timed(lambda: answer(image).numpy()).milliseconds  # a GPU's answer is there only when it is read


def _multiply_adds(layer: keras.Layer) -> int:
    """Each weight of a kernel is used once for each place of the output. A layer may be a network of others."""
    if hasattr(layer, "layers"):
        return sum(map(_multiply_adds, layer.layers))
    if not layer.weights:
        return 0
    places = prod(layer.output.shape[1:-1])
    return sum(places * prod(weight.shape) for weight in layer.weights if weight.name.endswith("kernel"))

"""TFLite files, which phones and small boards run: in float32, with weights in float16, in whole numbers of 8 bits."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras


def write_float32(network: keras.Model, path: Path, images: np.ndarray) -> None:
    _export(network, path)


def write_float16(network: keras.Model, path: Path, images: np.ndarray) -> None:
    """Half the size; calculated in float32 where the device has no float16."""
    import tensorflow as tf

    _export(network, path, {"supported_types": [tf.float16]}, optimizations=[tf.lite.Optimize.DEFAULT])


def write_int8(network: keras.Model, path: Path, images: np.ndarray) -> None:
    """Weights and activations in 8 bits, which span what they are on `images` (N, height, width, channels) float32.

    What TensorFlow has no whole numbers for, ELU for one, is calculated in float32, and converted before and after.
    What goes in and comes out stays float32: so the file takes the place of any other format, for `predict` as for a
    program of the user's, and nobody has to read its scale first. That costs one operation at each end. The scale of an
    input of bytes would be one of z-scores, not of pixels: to give the file its pixels takes the arithmetic anyway.
    Source: Jacob et al. 2018, arXiv:1712.05877.
    """
    import tensorflow as tf

    def one_by_one() -> Iterator[list[np.ndarray]]:
        for image in images:
            yield [image[np.newaxis]]

    integers = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]}
    optimizations = [tf.lite.Optimize.DEFAULT]
    _export(network, path, integers, optimizations=optimizations, representative_dataset=one_by_one)


def read(path: Path, threads: int | None) -> Callable[[np.ndarray], np.ndarray]:
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it will move to a package of its own
        interpreter = tf.lite.Interpreter(str(path), num_threads=threads)
    (images_in,), (classes_out,) = interpreter.get_input_details(), interpreter.get_output_details()
    allocated: tuple[int, ...] = ()

    def classify(images: np.ndarray) -> np.ndarray:
        nonlocal allocated
        if images.shape != allocated:  # what a signature's runner does at each call, and takes time
            interpreter.resize_tensor_input(images_in["index"], images.shape)
            interpreter.allocate_tensors()
            allocated = images.shape
        interpreter.set_tensor(images_in["index"], images)
        interpreter.invoke()
        return interpreter.get_tensor(classes_out["index"])

    return classify


def _export(network: keras.Model, path: Path, target: dict[str, Any] | None = None, **settings: Any) -> None:
    """target, settings: of TensorFlow's converter."""
    import tensorflow as tf

    # Keras would also allow TensorFlow's own operations, which the runtime of a phone does not have.
    builtins = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    network.export(path, format="litert", verbose=False, target_spec=builtins | (target or {}), **settings)

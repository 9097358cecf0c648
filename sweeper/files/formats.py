"""The file formats that a trained network leaves in: how each is written, and read again by its own runtime."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sweeper import text
from sweeper.errors import ConfigError, DataError
from sweeper.files import onnx_graph, tflite

if TYPE_CHECKING:
    import keras

Classify = Callable[[np.ndarray], np.ndarray]  # z-scored (N, height, width, channels) -> (N, classes), both float32
HALF = ("bfloat16", "float16")  # what mixed precision computes in


@dataclass(frozen=True)
class Format:
    name: str  # the word on the command line
    file: str  # in an exported folder
    write: Callable[[keras.Model, Path, np.ndarray], None]  # the images, z-scored, show what range the numbers have
    read: Callable[[Path, int | None], Classify]  # with so many threads where the runtime can be told; None: its choice
    converter: tuple[str, ...] = ()  # packages that `write` needs beside TensorFlow
    runtime: tuple[str, ...] = ()  # packages that `read` needs
    exact: bool = True  # computes in float32, as the network does


def load(format: Format, path: Path) -> Classify:
    """The network in `path`. Nothing in it is unpickled.

    Raises: ConfigError if the format's runtime is not installed, DataError if it cannot load the file.
    """
    require(format, *format.runtime)
    try:
        return format.read(path, None)
    except Exception as error:  # each runtime has errors of its own
        raise DataError(
            f"{path} is no {format.name} file that can be loaded: {text.first_line(str(error))}\nExport it again."
        ) from error


def load_keras(path: Path) -> keras.Model:
    """Without its optimizer, and without code that the file might bring."""
    import keras

    return keras.models.load_model(path, compile=False, safe_mode=True)


def require(format: Format, *packages: str) -> None:
    """Raises: ConfigError with the command that installs them if packages are missing."""
    missing = " ".join(package for package in dict.fromkeys(packages) if importlib.util.find_spec(package) is None)
    if missing:
        raise ConfigError(f"The {format.name} format needs packages that are not installed: pip install {missing}")


def classify(network: keras.Model) -> Classify:
    """Traced once, for batches of any size: layer by layer it takes several times as long."""
    import tensorflow as tf

    images_in = tf.TensorSpec((None, *network.input_shape[1:]), tf.float32)
    answer = tf.function(lambda images: network(images, training=False), input_signature=[images_in])
    return lambda images: answer(images).numpy()


def in_float32(network: keras.Model) -> keras.Model:
    """The same weights, which mixed precision keeps in float32 anyway, in layers that also compute in it.

    The other formats' runtimes know bfloat16 not at all or not on every device.
    """
    import keras

    if not _computes_in_half(network):
        return network

    def layer_in_float32(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        halved = getattr(layer, "compute_dtype", None) in HALF  # an operation like a sum has none
        return type(layer).from_config(config | {"dtype": "float32"} if halved else config)

    copy = keras.models.clone_model(network, clone_function=layer_in_float32, recursive=True)
    copy.set_weights(network.get_weights())
    return copy


def _computes_in_half(layer: keras.Layer) -> bool:
    return layer.compute_dtype in HALF or any(map(_computes_in_half, getattr(layer, "layers", ())))


def _write_keras(network: keras.Model, path: Path, images: np.ndarray) -> None:
    network.save(path)


def _read_keras(path: Path, threads: int | None) -> Classify:
    return classify(load_keras(path))


def _write_savedmodel(network: keras.Model, path: Path, images: np.ndarray) -> None:
    network.export(path, format="tf_saved_model", verbose=False)


def _read_savedmodel(path: Path, threads: int | None) -> Classify:
    import tensorflow as tf

    loaded = tf.saved_model.load(path)  # not only its function: that one does not keep the weights alive
    return lambda images: loaded.serve(images).numpy()


def _write_onnx(network: keras.Model, path: Path, images: np.ndarray) -> None:
    import keras

    images_in = keras.InputSpec(shape=network.input_shape, dtype="float32", name="images")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # Keras asks NumPy for the old np.object
        network.export(path, format="onnx", verbose=False, input_signature=[images_in])
    onnx_graph.settle(path)


def _read_onnx(path: Path, threads: int | None) -> Classify:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0  # 0: one a core
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (images_in,) = (entry.name for entry in session.get_inputs())
    return lambda images: session.run(None, {images_in: images})[0]


KERAS = Format("keras", "model.keras", _write_keras, _read_keras)
SAVEDMODEL = Format("savedmodel", "saved_model", _write_savedmodel, _read_savedmodel)
ONNX = Format("onnx", "model.onnx", _write_onnx, _read_onnx, ("tf2onnx", "onnxruntime"), ("onnxruntime",))
TFLITE = Format("tflite", "model.tflite", tflite.write_float32, tflite.read)
TFLITE_FLOAT16 = Format("tflite-float16", "model_float16.tflite", tflite.write_float16, tflite.read, exact=False)
TFLITE_INT8 = Format("tflite-int8", "model_int8.tflite", tflite.write_int8, tflite.read, exact=False)
FORMATS = (ONNX, KERAS, TFLITE, SAVEDMODEL, TFLITE_FLOAT16, TFLITE_INT8)  # exact ones first, the quickest to load

"""The program of a model in MLflow: images in, classes out. It is copied to where the model is served.

Nothing of this package is there, only Keras, TensorFlow, NumPy, OpenCV and MLflow: so `_decoded` and `_resized` repeat
what `sweeper.data` does with a file, and a test holds the two to the same pixels.
"""

import base64
import binascii
import os
from typing import Any

import numpy as np
import yaml
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

BATCH = 256  # images that are in memory as float32 at once
LARGEST = 2**27  # pixels of an image file; a few bytes can claim more than memory holds


class ImageClassifier(PythonModel):
    def load_context(self, context: PythonModelContext) -> None:
        """context: with the paths of model.keras, `network`, and of model.yaml, `card`."""
        os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(LARGEST))
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        import keras
        import tensorflow as tf

        with open(context.artifacts["card"], encoding="utf-8") as file:
            card = yaml.safe_load(file)
        self._classes, self._shape = card["classes"], tuple(card["input_shape"])
        self._mean, self._std = np.float32(card["mean"]), np.float32(card["std"])
        network = keras.models.load_model(context.artifacts["network"], compile=False, safe_mode=True)
        images_in = tf.TensorSpec((None, *self._shape), tf.float32)
        self._answer = tf.function(lambda images: network(images, training=False), input_signature=[images_in])

    # MLflow takes the hint as: whatever the signature lets through. Without one it warns each time it loads the model.
    def predict(self, context: PythonModelContext, model_input: np.ndarray, params: dict[str, Any] | None = None):
        """model_input: {"image": …} by the signature, or the images alone.

        Images are (N, height, width, channels) pixels in 0..255 of the network's shape, or N image files of any size,
        as bytes or base64.
        Returns: a dictionary an image: its likeliest class, that one's probability, and those of all.
        Raises: MlflowException, which a client gets as status 400, for what is no such image.
        """
        given = np.asarray(model_input["image"] if isinstance(model_input, dict) else model_input)
        if given.size and isinstance(given.flat[0], str | bytes):
            images = np.stack([self._of_file(file, place) for place, file in enumerate(given.flat)])
        else:
            images = self._checked(given)
        scored = ((images[start : start + BATCH] - self._mean) / self._std for start in range(0, len(images), BATCH))
        return [self._told(row) for batch in scored for row in self._answer(batch.astype(np.float32)).numpy()]

    def _told(self, row: np.ndarray) -> dict[str, Any]:
        likeliest = int(row.argmax())
        probabilities = dict(zip(self._classes, map(float, row), strict=True))
        return {
            "class": self._classes[likeliest],
            "probability": float(row[likeliest]),
            "probabilities": probabilities,
        }

    def _of_file(self, file: str | bytes, place: int) -> np.ndarray:
        """(height, width, channels) float32"""
        height, width, channels = self._shape
        image = _decoded(_bytes(file), channels) if channels in (1, 3) and isinstance(file, str | bytes) else None
        if image is None:
            raise _refused(f"no image of {channels} channels as number {place}. Send PNG or JPEG, in base64")
        return _resized(image, height, width).reshape(self._shape).astype(np.float32)

    def _checked(self, given: np.ndarray) -> np.ndarray:
        """(N, height, width, channels) float32; a single channel may be left out."""
        try:
            images = given.astype(np.float32)
        except (TypeError, ValueError):
            raise _refused(f"not all images are of one size. Send {self._expected}, or files") from None
        if images.ndim == 3 and self._shape[2] == 1:
            images = images[..., np.newaxis]
        if images.shape[1:] != self._shape or not len(images):
            raise _refused(f"an array of shape {given.shape}. Send {self._expected}, or files, which are resized")
        if not (images.min() >= 0 and images.max() <= 255):  # NaN is neither
            raise _refused("pixels outside of 0..255. Send them as they are in the image, without any scaling")
        if images.max() <= 1 and (images % 1).any():
            raise _refused("pixels between 0 and 1. Send them in 0..255: multiply by 255")
        return images

    @property
    def _expected(self) -> str:
        return f"pixels in 0..255 of shape (N, {', '.join(map(str, self._shape))})"


def _bytes(file: str | bytes) -> bytes:
    """Of base64, or of a data URL that holds it: data:image/png;base64,…"""
    if isinstance(file, bytes):
        return file
    try:
        return base64.b64decode(file.rpartition(",")[2])
    except (binascii.Error, ValueError):
        return b""


def _decoded(content: bytes, channels: int) -> np.ndarray | None:
    """(height, width, channels) uint8: RGB for 3 channels, gray for 1. None if it is no image that OpenCV reads."""
    import cv2

    try:
        gray_or_bgr = cv2.IMREAD_COLOR if channels == 3 else cv2.IMREAD_GRAYSCALE
        image = cv2.imdecode(np.frombuffer(content, np.uint8), gray_or_bgr)
    except cv2.error:  # of too many pixels, or nothing at all
        return None
    if image is None:
        return None
    if channels == 3:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return image.reshape(*image.shape[:2], channels)


def _resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W, channels) uint8 to (height, width[, channels])."""
    import cv2

    if image.shape[:2] == (height, width):
        return image
    smaller = height * width < image.shape[0] * image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def _refused(reason: str) -> MlflowException:
    return MlflowException.invalid_parameter_value(f"The model got {reason}.")


set_model(ImageClassifier())

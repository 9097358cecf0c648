"""Files in 8 bits: their scale is that of real training images, and nothing in them is a float but both ends."""

from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from sweeper.config.compose import composed
from sweeper.files import convert, formats
from sweeper.training import trial
from sweeper.training.instances import dataset

BRIGHTEST = {"train": 255, "validation": 120, "test": 60}  # of a split's pixels


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(network, data) of images that are brighter in training than in validation."""
    root = tmp_path_factory.mktemp("tflite")
    rng = np.random.default_rng(0)
    for split, brightest in BRIGHTEST.items():
        for level, name in enumerate(("dark", "bright")):
            (root / "images" / split / name).mkdir(parents=True)
            for number in range(20):
                image = rng.integers(0, brightest // (2 - level), (8, 8, 3), np.uint8)
                image[0, 0] = 0
                image[-1, -1] = brightest
                cv2.imwrite(str(root / "images" / split / name / f"{number}.png"), image)
    small = ["model.filters=4", "trainer.epochs=8", "trainer.batch_size=8", "hparams.lr=0.01"]
    cfg = composed(["dataset=folder", f"dataset.path={root}/images", *small])
    trial.run(cfg, folder=root / "trial")
    return formats.load_keras(root / "trial" / "model.keras"), dataset(cfg)


@pytest.fixture(scope="module")
def original(trained):
    network, data = trained
    return convert.original(network, data, scale=data)


def tensors(path: Path) -> list[dict]:
    interpreter = tf.lite.Interpreter(str(path), experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    return interpreter.get_tensor_details()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*(tf.lite.Interpreter|experimental_preserve_all_tensors)")
def test_the_input_of_8_bits_spans_what_training_images_span(original, trained, tmp_path):
    path = tmp_path / "model_int8.tflite"
    formats.TFLITE_INT8.write(original.network, path, original.training)
    _, data = trained
    darkest = min(-mean / std for mean, std in zip(data.mean, data.std, strict=True))
    brightest = max((255 - mean) / std for mean, std in zip(data.mean, data.std, strict=True))
    images_in = [
        tensor for tensor in tensors(path) if tensor["dtype"] == np.int8 and tensor["shape"].tolist() == [1, 8, 8, 3]
    ]
    scale, zero = images_in[0]["quantization"]
    assert scale * 255 == pytest.approx(brightest - darkest, rel=0.02)
    assert scale * (-128 - zero) == pytest.approx(darkest, abs=2 * scale)
    seen = original.validation
    assert brightest - darkest > 1.5 * (seen.max() - seen.min())  # else the validation images would do as well


@pytest.mark.filterwarnings("ignore:.*(tf.lite.Interpreter|experimental_preserve_all_tensors)")
def test_nothing_in_a_file_of_8_bits_is_a_float_but_what_goes_in_and_comes_out(original, tmp_path):
    steps = [layers.Conv2D(4, 3, activation="relu"), layers.Flatten(), layers.Dense(2, "softmax")]
    network = keras.Sequential([keras.Input((8, 8, 3)), *steps])
    path = tmp_path / "model_int8.tflite"
    formats.TFLITE_INT8.write(network, path, original.training)
    floats = [tensor["name"] for tensor in tensors(path) if tensor["dtype"] == np.float32]
    assert len(floats) == 2, floats


def test_a_file_of_8_bits_agrees_with_the_network_and_one_of_another_scale_does_not(original, tmp_path):
    path = tmp_path / "model_int8.tflite"
    right = convert.convert(original, formats.TFLITE_INT8, path)
    assert right.agreement >= convert.MIN_AGREEMENT
    formats.TFLITE_INT8.write(original.network, path, original.training / 100)
    answers = formats.TFLITE_INT8.read(path, 1)(original.validation)
    agreement = (answers.argmax(axis=1) == original.answers.argmax(axis=1)).mean()
    assert np.abs(answers - original.answers).max() > 5 * right.difference
    assert agreement < right.agreement


@pytest.mark.slow
def test_fewer_bits_make_a_smaller_file(tmp_path):
    network = keras.Sequential([keras.Input((32, 32, 1)), layers.Flatten(), layers.Dense(100)])
    images = np.random.default_rng(0).normal(size=(10, 32, 32, 1)).astype(np.float32)
    sizes = []
    for format in (formats.TFLITE, formats.TFLITE_FLOAT16, formats.TFLITE_INT8):
        format.write(network, tmp_path / format.file, images)
        sizes.append((tmp_path / format.file).stat().st_size)
    weights = network.count_params()
    assert sizes == pytest.approx([4 * weights, 2 * weights, weights], abs=12_000)


def test_batches_of_changing_sizes_are_answered_one_by_one(original, tmp_path):
    path = tmp_path / "model.tflite"
    formats.TFLITE.write(original.network, path, original.training)
    classify = formats.TFLITE.read(path, 1)
    for size in (1, 5, 5, 2):
        np.testing.assert_allclose(classify(original.validation[:size]), original.answers[:size], atol=1e-5)

"""What a model in MLflow does with what clients send: the same as `predict` with files, and clear words otherwise."""

import ast
import base64
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import keras
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from sweeper import data
from sweeper.commands.predict import Classifier, predict
from sweeper.files import formats
from sweeper.files.card import Card
from sweeper.tracking import served

SHAPE = (6, 5, 3)
CLASSES = ("apple", "bread", "cheese")


@pytest.fixture(scope="module")
def network():
    layers = [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")]
    return keras.Sequential(layers)


@pytest.fixture(scope="module")
def described():
    return Card("custom", "folder", CLASSES, SHAPE, (120.0, 90.0, 60.0), (50.0, 60.0, 70.0), "val_accuracy", 0.9, 273)


@pytest.fixture(scope="module")
def model(network, described, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    network.save(folder / "model.keras")
    described.write(folder)
    model = served.ImageClassifier()
    context = {"network": str(folder / "model.keras"), "card": str(folder / "model.yaml")}
    model.load_context(SimpleNamespace(artifacts=context))
    return model


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Images of several sizes, colours and formats."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    sizes = [(6, 5, 3), (40, 31, 3), (3, 4, 3), (12, 9), (6, 5)]
    found = []
    for number, size in enumerate(sizes):
        for ending in ("png", "jpg"):
            found.append(folder / f"{number}.{ending}")
            cv2.imwrite(str(found[-1]), rng.integers(0, 256, size, np.uint8))
    return found


def encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


def test_the_program_needs_nothing_of_ours():
    tree = ast.parse(Path(served.__file__).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    packages = {name.partition(".")[0] for name in imported} - sys.stdlib_module_names
    assert packages == {"numpy", "yaml", "mlflow", "keras", "tensorflow", "cv2"}


@pytest.mark.parametrize("channels", [1, 3])
def test_files_become_the_same_pixels_as_in_predict(channels, files):
    assert served.LARGEST == data.LARGEST
    for file in files:
        expected = data.read_image(file, channels)
        decoded = served._decoded(file.read_bytes(), channels)
        np.testing.assert_array_equal(decoded, expected)
        for height, width in [(6, 5), (20, 3), (3, 20), (50, 50)]:
            ours, theirs = data.resize(expected, height, width), served._resized(decoded, height, width)
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("form", ["base64", "bytes", "data url", "named"])
def test_files_are_answered_as_by_predict(form, model, network, described, files):
    sent = {
        "base64": [encoded(file) for file in files],
        "bytes": [file.read_bytes() for file in files],
        "data url": [f"data:image/png;base64,{encoded(file)}" for file in files],
    }
    given = np.array(sent.get(form, sent["base64"]), dtype=object)
    answers = model.predict(None, {"image": given} if form == "named" else given)
    expected = predict(Classifier(described, formats.classify(network)), files)
    for answer, prediction in zip(answers, expected, strict=True):
        assert answer["class"] == prediction.classes[0][0]
        assert answer["probability"] == pytest.approx(prediction.classes[0][1], abs=1e-6)
        assert set(answer["probabilities"]) == set(CLASSES)
        assert dict(prediction.classes) == pytest.approx(answer["probabilities"], abs=1e-6)


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float64, object])
def test_pixels_are_answered_as_by_predict_whatever_their_type(kind, model, network, described):
    images = np.random.default_rng(1).integers(0, 256, (5, *SHAPE), np.uint8)
    answers = model.predict(None, images.astype(kind))
    expected = Classifier(described, formats.classify(network))(images)
    got = [[answer["probabilities"][name] for name in CLASSES] for answer in answers]
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_more_images_than_fit_into_memory_at_once_keep_their_order(model, monkeypatch):
    images = np.random.default_rng(2).integers(0, 256, (20, *SHAPE), np.uint8)
    whole = model.predict(None, images)
    monkeypatch.setattr(served, "BATCH", 7)
    parts = model.predict(None, images)
    assert [answer["class"] for answer in parts] == [answer["class"] for answer in whole]
    assert len(parts) == 20


def ragged() -> np.ndarray:
    images = np.empty(2, dtype=object)
    images[:] = [np.zeros(SHAPE).tolist(), np.zeros((2, 2, 3)).tolist()]
    return images


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (np.zeros((2, 7, 5, 3)), r"array of shape \(2, 7, 5, 3\). Send pixels in 0..255 of shape \(N, 6, 5, 3\)"),
        (np.zeros(SHAPE), "array of shape"),
        (np.zeros((0, *SHAPE)), "array of shape"),
        (np.array([1.0]), "array of shape"),
        (ragged(), "not all images are of one size"),
        (np.full((1, *SHAPE), 300), "outside of 0..255"),
        (np.full((1, *SHAPE), -1.5), "outside of 0..255"),
        (np.full((1, *SHAPE), np.nan), "outside of 0..255"),
        (np.full((1, *SHAPE), 0.5), "between 0 and 1. Send them in 0..255: multiply by 255"),
        (np.array(["no image"], object), "number 0. Send PNG or JPEG, in base64"),
        (np.array([b"\x89PNG", ""], object), "number 0"),
        (np.array([""], object), "number 0"),
    ],
)
def test_what_is_no_image_is_refused_in_words_for_the_client(given, complaint, model):
    with pytest.raises(MlflowException, match=complaint) as refused:
        model.predict(None, given)
    assert refused.value.get_http_status_code() == 400


def test_black_images_and_frames_of_pandas_are_taken(model, files):
    assert len(model.predict(None, np.zeros((2, *SHAPE)))) == 2
    frame = pd.DataFrame({"image": [encoded(file) for file in files[:2]]})
    assert len(model.predict(None, {"image": frame["image"].to_numpy()})) == 2

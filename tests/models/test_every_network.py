"""The contract of `models/`: a new file joins by existing."""

import importlib
from pathlib import Path

import keras
import numpy as np
import pytest

import sweeper
from sweeper.config.compose import composed
from sweeper.training import instances

ROOT = Path(sweeper.__file__).parent.parent
STEMS = sorted(file.stem for file in (ROOT / "models").glob("*.py"))
STEPS = 60  # until the loss is halved; most need eight
SHAPES = [(1, 1, 4), (9, 7, 2), (8, 8, 1), (32, 32, 3), (48, 48, 1)]

pytestmark = pytest.mark.parametrize("stem", STEMS)


@pytest.fixture(autouse=True)
def fresh_keras():
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")


def build(stem, *arguments):
    return importlib.import_module(f"sweeper.models.{stem}").build(*arguments)


def images(shape, count=2):
    return np.random.default_rng(0).normal(size=(count, *shape)).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_network_gives_probabilities_at_any_size(stem, shape):
    probabilities = build(stem, shape, 3)(images(shape)).numpy()
    assert probabilities.shape == (2, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_every_network_builds_from_its_own_yaml(stem):
    cfg = composed([f"model={stem}"])
    assert cfg.model._target_ == f"sweeper.models.{stem}.build"
    assert instances.make(cfg, "model", input_shape=(8, 8, 1), num_classes=3).output.shape == (None, 3)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_every_network_takes_the_softmax_in_float32(stem, precision):
    keras.config.set_dtype_policy(precision)
    net = build(stem, (8, 8, 1), 3)
    assert net.layers[1].compute_dtype == precision.removeprefix("mixed_")
    assert net.layers[-1].compute_dtype == net.output.dtype == "float32"


@pytest.mark.slow
def test_every_network_learns_two_classes(stem):
    labels = np.arange(16) % 2
    shades = images((8, 8, 1), 16) * 0.1 + labels.reshape(-1, 1, 1, 1)
    net = build(stem, (8, 8, 1), 2)
    net.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", jit_compile=False)
    first = net.train_on_batch(shades, labels)
    assert any(net.train_on_batch(shades, labels) < first / 2 for _ in range(STEPS))


def test_every_network_reloads_with_the_same_outputs(stem, tmp_path):
    net = build(stem, (8, 8, 1), 3)
    net.save(tmp_path / "model.keras")
    reloaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(reloaded(images((8, 8, 1))), net(images((8, 8, 1))))


def test_every_network_is_made_of_stock_layers(stem):
    for layer in build(stem, (8, 8, 1), 3).layers:
        assert type(layer).__module__.startswith("keras."), f"{layer.name}: a .keras file of it would need our code"

"""Both views through a whole trial: what is validated is what is saved, and what is saved leaves in every format."""

import numpy as np
import pytest

from sweeper.config.compose import composed
from sweeper.files import formats
from sweeper.training import fit, instances, pipeline, trial, views

FEW = ["trainer.epochs=2", "dataset.train_size=128", "augment=light"]
IMAGES = np.random.default_rng(0).normal(size=(6, 8, 8, 1)).astype(np.float32)
MIRRORED = IMAGES[:, :, ::-1]


@pytest.fixture(autouse=True)
def _frees_the_network():
    yield
    fit.reset(0, "float32")


def built(precision):
    fit.reset(0, precision)
    return instances.make(composed(["model=hierarchy"]), "model", input_shape=(8, 8, 1), num_classes=10)


@pytest.fixture
def network():
    return built("float32")


def test_the_answer_is_the_mean_of_those_to_an_image_and_its_mirror_image(network):
    answer = formats.classify(network)
    both = formats.classify(views.averaged(network))
    np.testing.assert_allclose(both(IMAGES), (answer(IMAGES) + answer(MIRRORED)) / 2, atol=1e-6)
    np.testing.assert_allclose(both(IMAGES), both(MIRRORED), atol=1e-6)


def test_both_views_add_no_weights(network):
    assert views.averaged(network).count_params() == network.count_params()


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_what_was_validated_is_what_was_saved(precision, tmp_path):
    cfg = composed([*FEW, f"trainer.precision={precision}", "trainer.views=2"])
    measured = trial.run(cfg, folder=tmp_path).facts
    reloaded = formats.load_keras(tmp_path / formats.KERAS.file)
    np.testing.assert_allclose(reloaded(IMAGES), reloaded(MIRRORED), atol=1e-6)
    data = instances.dataset(cfg)
    reloaded.compile(loss="categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    judged = reloaded.evaluate(pipeline.evaluation(data.validation, data, 64), verbose=0, return_dict=True)
    assert judged["accuracy"] == pytest.approx(measured["val_accuracy"])
    assert judged["loss"] == pytest.approx(measured["val_loss"], rel=1e-3)


def test_the_training_itself_is_the_same(tmp_path):
    losses = {1: [], 2: []}
    for number, heard in losses.items():
        cfg = composed([*FEW, f"trainer.views={number}"])
        trial.run(cfg, lambda epoch, value, metrics, heard=heard: heard.append(metrics["loss"]), tmp_path / str(number))
    assert losses[1] == pytest.approx(losses[2], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("format", formats.FORMATS, ids=lambda format: format.name)
def test_both_views_leave_in_every_format(format, tmp_path):
    both = formats.in_float32(views.averaged(built("mixed_bfloat16")))
    format.write(both, tmp_path / format.file, IMAGES)
    written = formats.load(format, tmp_path / format.file)
    tolerance = 1e-5 if format.exact else 0.1 if format is formats.TFLITE_INT8 else 0.02
    np.testing.assert_allclose(written(IMAGES), formats.classify(both)(IMAGES), atol=tolerance)
    np.testing.assert_allclose(written(IMAGES), written(MIRRORED), atol=tolerance)

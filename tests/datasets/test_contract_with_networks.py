"""Every network on every data set, as `python -m sweeper model=… dataset=…` trains it. New files of both join."""

from pathlib import Path

import numpy as np
import pytest

from sweeper.config.compose import composed
from sweeper.files import formats
from sweeper.training import fit, instances, pipeline, trial

ROOT = Path(__file__).resolve().parents[2]
NETWORKS, DATASETS = (sorted(file.stem for file in (ROOT / top).glob("*.py")) for top in ("models", "datasets"))
STEPS = 30
IMAGES = 16  # make a step, the same ones in each


def pairs():
    """All of them take minutes, so there is a quick one."""
    for network in NETWORKS:
        for dataset in DATASETS:
            marks = [] if (network, dataset) == ("custom", "digits") else pytest.mark.slow
            yield pytest.param(network, dataset, marks=marks, id=f"{network}-{dataset}")


@pytest.fixture(autouse=True)
def _frees_the_network():
    yield
    fit.reset(0, "float32")


@pytest.mark.parametrize(("network", "dataset"), pairs())
def test_every_network_learns_every_data_set_and_leaves_as_a_file(network, dataset, sources, tmp_path):
    given = [f"dataset.{key}={value}" for key, value in sources.get(dataset, {}).items()]
    few = [f"dataset.train_size={IMAGES}", f"trainer.batch_size={IMAGES}", f"trainer.epochs={STEPS}"]
    cfg = composed([f"model={network}", f"dataset={dataset}", *given, *few])
    losses = []
    measured = trial.run(cfg, lambda epoch, value, metrics: losses.append(metrics["loss"]), tmp_path).facts
    assert len(losses) == STEPS
    assert np.mean(losses[-5:]) < np.mean(losses[:5])

    reloaded = formats.load_keras(tmp_path / formats.KERAS.file)
    data = instances.dataset(cfg)
    validation = pipeline.evaluation(data.validation, data, IMAGES)
    reloaded.compile(loss="categorical_crossentropy", jit_compile=False)  # takes the logits, as in training
    assert reloaded.evaluate(validation, verbose=0) == pytest.approx(measured["val_loss"], rel=1e-4)

    images = next(iter(validation))[0].numpy()
    formats.TFLITE.write(reloaded, tmp_path / formats.TFLITE.file, images)
    exported = formats.load(formats.TFLITE, tmp_path / formats.TFLITE.file)
    np.testing.assert_allclose(exported(images), formats.classify(reloaded)(images), atol=1e-5)

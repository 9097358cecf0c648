import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from sweeper.config.compose import composed
from sweeper.engine import beginning
from sweeper.errors import ConfigError
from sweeper.files import file_costs, formats
from sweeper.records import record
from sweeper.training import objectives, trial

SMALL = ["trainer.epochs=2", "dataset.train_size=300", "trainer.batch_size=16"]


def test_only_formats_that_are_named_are_asked():
    assert file_costs.asked(["val_accuracy", "parameters", "latency_ms"]) == {}
    assert file_costs.asked(["val_accuracy", "tflite_int8_kb"]) == {"tflite_int8": formats.TFLITE_INT8}
    assert list(file_costs.asked(["onnx_latency_ms", "keras_kb"])) == ["onnx", "keras"]


def test_the_costs_of_files_are_minimized_and_need_an_accuracy_beside_them():
    objectives.check_directions(("val_accuracy", "onnx_latency_ms"), ("maximize", "minimize"))
    with pytest.raises(ConfigError, match="keeps the worst"):
        objectives.check_directions(("val_accuracy", "tflite_kb"), ("maximize", "maximize"))
    with pytest.raises(ConfigError, match="known before the training"):
        objectives.check_measured(("tflite_kb",))


def test_a_missing_package_is_told_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    cfg = composed([*SMALL, "optimized_metric=[val_accuracy,onnx_kb]"])
    with pytest.raises(ConfigError, match=r"onnx format needs .*: pip install tf2onnx$"):
        trial.run(cfg, folder=tmp_path / "0")
    assert not (tmp_path / "0").exists()


def test_a_sweep_does_not_even_begin_without_the_packages(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    hydra = OmegaConf.create({"runtime": {"choices": {}}, "overrides": {"task": []}})
    metrics, directions = ("val_accuracy", "onnx_latency_ms"), ("maximize", "minimize")
    with pytest.raises(ConfigError, match=r": pip install onnxruntime$"):
        beginning.of(tmp_path, metrics, directions, 1, hydra)


@pytest.mark.slow
def test_a_trial_measures_the_files_that_its_objectives_name_and_leaves_none(tmp_path):
    wanted = ("val_accuracy", "tflite_int8_kb", "onnx_latency_ms")
    small, large = (
        trial.run(
            composed([*SMALL, f"model.filters={filters}", f"optimized_metric=[{','.join(wanted)}]"]),
            folder=tmp_path / str(filters),
        )
        for filters in (4, 16)
    )
    assert small.values == tuple(small.facts[name] for name in wanted)
    assert small.values[1] < large.values[1] < 4 * large.facts["parameters"] / 1e3
    assert small.values[2] > 0
    assert 0 <= small.facts["tflite_int8_agreement"] <= 1
    told = {name for name in small.facts if name.endswith(("_kb", "_agreement", "_latency_ms"))}
    assert told - {"model_kb"} == {
        f"{word}_{cost}" for word in ("tflite_int8", "onnx") for cost in ("kb", "latency_ms", "agreement")
    }
    left = {path.name for path in (tmp_path / "4").iterdir()}
    assert left == {"config.yaml", "model.keras", "model.yaml", "origin.yaml"}


def test_two_views_leave_as_files_too(tmp_path):
    cfg = composed([*SMALL, "model.filters=4", "trainer.views=2", "optimized_metric=[val_accuracy,tflite_kb]"])
    assert trial.run(cfg, folder=tmp_path).values[1] > 0


@pytest.mark.slow
def test_a_sweep_keeps_to_a_bound_of_the_exported_file(tmp_path):
    """Networks of 4 filters are below it, those of 32 are not."""
    first = "hydra.sweeper.enqueue=[{model.filters: 4}, {model.filters: 32}]"
    searched = ["model.filters=4,32", first, "hydra.sweeper.n_trials=2", "hydra.sweep.dir=sweep"]
    bound = "hydra.sweeper.constraints=['tflite_int8_kb <= 60', 'tflite_int8_agreement >= 0']"
    command = [sys.executable, "-m", "sweeper", "-m", *SMALL, *searched, bound]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    small, large = sorted(record.read(Path(tmp_path, "sweep")).trials, key=lambda found: found.params["model.filters"])
    assert small.facts["tflite_int8_kb"] <= 60 < large.facts["tflite_int8_kb"]
    assert (list(small.missed), list(large.missed)) == ([], ["tflite_int8_kb <= 60"])

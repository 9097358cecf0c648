import argparse
import fcntl
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
from keras import layers
from omegaconf import OmegaConf

from sweeper.commands import export
from sweeper.config.compose import composed
from sweeper.datasets import digits
from sweeper.errors import ConfigError, DataError
from sweeper.files import card, convert, exports, formats
from sweeper.records import sweeps
from sweeper.records.events import SweepEnded, SweepStarted, TrialEnded, TrialStarted
from sweeper.records.journal import Journal
from sweeper.tracking import store
from sweeper.training import trial

FILES = {
    "keras": "model.keras",
    "savedmodel": "saved_model",
    "onnx": "model.onnx",
    "tflite": "model.tflite",
    "tflite-float16": "model_float16.tflite",
    "tflite-int8": "model_int8.tflite",
}
EXACT = list(FILES)[:4]
BESIDE = {"model.yaml", "exports.yaml"}
RUN_IDS = ("abcdef01" * 4, "abcdef02" * 4, "abcdef03" * 4)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Holds the sweep `monday`: trial 0 is the best, of trial 1 no network was kept, trial 2 has mixed precision."""
    root = tmp_path_factory.mktemp("root")
    monday = root / "multirun" / "monday"
    train(monday / "2", "trainer.epochs=1", "trainer.precision=mixed_bfloat16")
    train(monday / "0", "trainer.epochs=2")
    journal = Journal(monday)
    journal.write(SweepStarted("monday", "python -m sweeper -m", "val_accuracy", ("maximize",), 3, None, 0.0))
    for number, value in enumerate((0.9, 0.8, 0.7)):
        journal.write(TrialStarted(number, 0, {}, f"python -m sweeper seed={number}", str(number), 0.0))
        journal.write(TrialEnded(number, "FINISHED", (value,), None, {}, 1.0))
    journal.write(SweepEnded("FINISHED", None, 0, 2.0))
    journal.close()
    rows = (f'{{"trial":{number},"attempt":0,"run_id":"{run_id}"}}\n' for number, run_id in enumerate(RUN_IDS))
    (monday / "mlflow.jsonl").write_text("".join(rows))
    return root


@pytest.fixture(autouse=True)
def _in_root(root, monkeypatch):
    monkeypatch.chdir(root)


@pytest.fixture
def copied(tmp_path):
    """Trial 0 with a folder of its own, to be damaged."""
    best = sweeps.find_trial("best", None)
    return replace(best, folder=Path(shutil.copytree(best.folder, tmp_path / "copied")))


def train(folder: Path, *overrides: str) -> None:
    small = ["model.filters=4", "dataset.train_size=300", "trainer.batch_size=16"]
    cfg = composed([*small, *overrides])
    del cfg.tracking  # nothing of a trial
    trial.run(cfg, folder=folder)
    keras.config.set_dtype_policy("float32")


def run(*arguments: object) -> None:
    parser = argparse.ArgumentParser()
    export.add_arguments(parser)
    assert export.run(parser.parse_args([str(argument) for argument in arguments])) == 0


def probabilities(folder: Path, format: str, images: np.ndarray) -> np.ndarray:
    """As somebody else would get them, with the format's runtime and nothing of ours."""
    file = str(folder / FILES[format])
    match format:
        case "keras":
            return keras.models.load_model(file).predict(images, verbose=0)
        case "savedmodel":
            return keras.layers.TFSMLayer(file, call_endpoint="serving_default")(images)["output_0"].numpy()
        case "onnx":
            session = onnxruntime.InferenceSession(file)
            return session.run(None, {session.get_inputs()[0].name: images})[0]
        case _:
            interpreter = tf.lite.Interpreter(file)
            (entry,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
            interpreter.resize_tensor_input(entry["index"], images.shape)
            interpreter.allocate_tensors()
            interpreter.set_tensor(entry["index"], images)
            interpreter.invoke()
            return interpreter.get_tensor(result["index"])


def scored_digits(folder: Path, number: int) -> np.ndarray:
    described = card.read(folder)
    images = digits.load(seed=1).test.images[:number]
    return ((images - np.array(described.mean)) / np.array(described.std)).astype(np.float32)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
@pytest.mark.parametrize("number", [0, 2])
def test_all_exported_files_compute_what_the_trial_s_network_does_in_batches_of_any_size(number, tmp_path, capsys):
    out = tmp_path / "out"
    run(f"monday/{number}", "--format", "all", "--out", out, "--min-agreement", 0.9)  # it was hardly trained
    folder = Path("multirun/monday") / str(number)
    original = keras.models.load_model(folder / "model.keras")
    for format in FILES:
        tolerance = 1e-4 if number == 0 and format in EXACT else 0.1 if format == "tflite-int8" else 0.02
        for size in (1, 5):  # of trial 2 the file computes in float32, the original in bfloat16
            images = scored_digits(folder, size)
            answers = probabilities(out, format, images)
            assert answers.dtype == np.float32
            np.testing.assert_allclose(answers, original.predict(images, verbose=0), atol=tolerance)
    assert {file.name for file in out.iterdir()} == {*FILES.values(), *BESIDE}
    assert list(tmp_path.iterdir()) == [out]

    titles, *lines = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    rows = {line[0]: dict(zip(titles, line, strict=True)) for line in lines}
    assert set(rows) == set(FILES)
    assert [str(row.size) for row in exports.read(out)] == [line["size"] for line in rows.values()]
    for format, row in rows.items():
        path = out / FILES[format]
        assert row["file"] == FILES[format]
        assert int(row["size"]) == sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())
        assert float(row["difference"]) < 1e-4 or format not in EXACT
        assert float(row["agreement"]) == 1 or format not in EXACT
        assert 0 < float(row["latency_1_ms"]) < float(row["latency_32_ms"])
    assert int(rows["tflite-float16"]["size"]) < int(rows["tflite"]["size"])


def test_a_network_trained_in_mixed_precision_leaves_in_float32(tmp_path):
    run("monday/2", "--format", "keras", "--out", tmp_path / "out")
    exported = keras.models.load_model(tmp_path / "out" / "model.keras")
    trained = keras.models.load_model("multirun/monday/2/model.keras")
    assert {layer.compute_dtype for layer in trained.layers} == {"bfloat16", "float32"}
    assert {layer.compute_dtype for layer in exported.layers} == {"float32"}


def test_nested_networks_leave_in_float32_too(copied, tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    inner = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(4, 3), layers.BatchNormalization()])
    keras.config.set_dtype_policy("float32")
    network = keras.Sequential([keras.Input((8, 8, 1)), inner, layers.Flatten(), layers.Dense(10, "softmax")])
    network.save(copied.model)
    export.export(copied, "monday/0", [formats.KERAS], tmp_path / "out")
    exported = keras.models.load_model(tmp_path / "out" / "model.keras")
    assert {layer.compute_dtype for layer in exported.layers[0].layers} == {"float32"}


def test_the_best_of_the_latest_sweep_goes_to_exports_by_default(capsys):
    run()
    out = Path("exports/monday-0")
    assert (out / "model.keras").is_file()
    assert card.read(out) == replace(card.read(Path("multirun/monday/0")), run_id=RUN_IDS[0], trial="monday/0")
    shown = capsys.readouterr()
    (row,) = exports.read(out)
    assert shown.out.splitlines()[1].split("\t")[0] == "keras"
    assert "Trial monday/0 -> exports/monday-0\n" in shown.err
    assert f"on {row.images} validation images" in shown.err
    assert (row.difference, row.agreement) == (0, 1)  # the same file format, so not even rounding
    assert "Not logged to MLflow: ConnectionError: " in shown.err


def test_a_trial_is_found_by_its_run_id(tmp_path):
    run("abcdef03", "--out", tmp_path / "out")
    assert card.read(tmp_path / "out").trial == "monday/2"


def test_formats_of_one_trial_gather_in_a_folder_and_another_trial_replaces_them(tmp_path):
    out = tmp_path / "out"
    for number, format, files in [
        (0, "keras", {"model.keras"}),
        (0, "savedmodel", {"model.keras", "saved_model"}),
        (0, "savedmodel", {"model.keras", "saved_model"}),
        (2, "keras", {"model.keras"}),
    ]:
        run(f"monday/{number}", "--format", format, "--out", out)
        assert {file.name for file in out.iterdir()} == {*files, *BESIDE}
        assert {row.file for row in exports.read(out)} == files
    assert list(tmp_path.iterdir()) == [out]


def test_exporting_again_mends_a_damaged_file(tmp_path):
    run("--out", tmp_path / "out")
    right = (tmp_path / "out" / "model.keras").stat().st_size
    (tmp_path / "out" / "model.keras").write_bytes(b"damaged")
    run("--out", tmp_path / "out")
    assert (tmp_path / "out" / "model.keras").stat().st_size == right


def test_an_empty_folder_is_filled(tmp_path):
    run("--out", tmp_path)
    assert (tmp_path / "model.keras").is_file()


def shifted(network: keras.Model, path: Path, images: np.ndarray) -> None:
    wrong = keras.models.clone_model(network)
    wrong.set_weights([weight + 0.01 for weight in network.get_weights()])
    wrong.save(path)


def not_a_number(network: keras.Model, path: Path, images: np.ndarray) -> None:
    wrong = keras.models.clone_model(network)
    wrong.set_weights([weight * np.nan for weight in network.get_weights()])
    wrong.save(path)


def batches_of_64(network: keras.Model, path: Path, images: np.ndarray) -> None:
    network.export(path, verbose=False, input_signature=[keras.InputSpec("float32", (64, 8, 8, 1))])


def cut_short(network: keras.Model, path: Path, images: np.ndarray) -> None:
    network.save(path)
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize(
    ("format", "write", "message"),
    [
        (formats.KERAS, shifted, "keras differs from the original by 0.* more than 0.0001"),
        (formats.KERAS, not_a_number, "keras differs from the original by nan"),
        (formats.KERAS, cut_short, "cannot be written as keras"),
        (formats.SAVEDMODEL, batches_of_64, "cannot be written as savedmodel"),
    ],
)
def test_a_file_that_computes_something_else_never_appears(format, write, message, copied, tmp_path):
    with pytest.raises(ConfigError, match=message):
        export.export(copied, "monday/0", [replace(format, write=write)], tmp_path / "out")
    assert list(tmp_path.iterdir()) == [copied.folder]


def test_a_failed_export_leaves_the_earlier_one_alone(copied, tmp_path):
    export.export(copied, "monday/0", [formats.KERAS], tmp_path / "out")
    before = (tmp_path / "out" / "model.keras").read_bytes()
    with pytest.raises(ConfigError):
        export.export(copied, "monday/0", [replace(formats.KERAS, write=shifted)], tmp_path / "out")
    assert (tmp_path / "out" / "model.keras").read_bytes() == before


def test_a_layer_that_a_format_does_not_know_is_an_error_with_its_name(copied, tmp_path):
    exact_gelu = [layers.Flatten(), layers.Dense(8, "gelu"), layers.Dense(10, "softmax")]
    keras.Sequential([keras.Input((8, 8, 1)), *exact_gelu]).save(copied.model)
    with pytest.raises(ConfigError, match=r"cannot be written as onnx: .*Erfc"):
        export.export(copied, "monday/0", [formats.ONNX], tmp_path / "out")
    assert list(tmp_path.iterdir()) == [copied.folder]


def test_a_network_that_was_not_kept_is_an_error_that_says_how_to_get_it(tmp_path):
    with pytest.raises(ConfigError, match=r"1/model.keras was not kept: (.|\n)*seed=1\n.*keep_models=N"):
        run("monday/1", "--out", tmp_path / "out")


@pytest.mark.parametrize("package", ["tf2onnx", "onnxruntime"])
def test_a_missing_package_is_an_error_with_the_command_that_installs_it(package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=f"onnx format needs .*: pip install {package}$"):
        run("--format", "onnx", "--out", tmp_path / "out")


@pytest.mark.parametrize("files", [["notes.txt"], ["model.yaml", "model.onnx", "notes.txt"], ["model.keras"]])
def test_a_folder_with_something_else_is_left_alone(files, tmp_path):
    for file in files:
        (tmp_path / file).write_text("mine")
    with pytest.raises(ConfigError, match="something else than an earlier export"):
        run("--out", tmp_path)
    assert [(tmp_path / file).read_text() for file in files] == ["mine"] * len(files)


def test_out_must_be_a_folder_that_can_be_made(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match="something else"):
        run("--out", tmp_path / "file")
    with pytest.raises(ConfigError, match="Give a folder that you may write to"):
        run("--out", tmp_path / "file" / "out")


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ({"_target_": "sweeper.datasets.folder.load", "path": "gone"}, "cannot be loaded: .*gone does not exist"),
        ({"_target_": "sweeper.datasets.mine.load"}, "cannot be loaded: .*sweeper.datasets.mine"),
    ],
)
def test_a_data_set_that_is_gone_is_an_error_that_names_it(dataset, message, copied, tmp_path):
    cfg = OmegaConf.load(copied.folder / "config.yaml")
    cfg.dataset = {**dataset, "seed": 0}
    OmegaConf.save(cfg, copied.folder / "config.yaml")
    with pytest.raises(DataError, match=message):
        export.export(copied, "monday/0", [formats.KERAS], tmp_path / "out")


def test_a_loader_that_is_not_allowed_is_refused_with_the_words_that_allow_it_alone(copied, tmp_path):
    cfg = OmegaConf.load(copied.folder / "config.yaml")
    cfg.dataset = {"_target_": "own_project.shapes.load", "seed": 0}
    OmegaConf.save(cfg, copied.folder / "config.yaml")
    with pytest.raises(ConfigError, match=r"--allow own_project\.shapes\.load") as refused:
        export.export(copied, "monday/0", [formats.KERAS], tmp_path / "out")
    assert "Put them back" not in str(refused.value)


def test_what_a_killed_export_left_is_removed_by_the_next(copied, tmp_path):
    names = {name: tmp_path / f".out-{name}" for name in ("killed00", "young000", "old00000", "working0", "users000")}
    for folder in names.values():
        (folder / "new").mkdir(parents=True)
    for name in ("killed00", "working0"):
        (names[name] / "lock").touch()
    (names["users000"] / "notes.txt").touch()
    os.utime(names["old00000"], (0, 0))
    with open(names["working0"] / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        export.export(copied, "monday/0", [formats.KERAS], tmp_path / "out")
    left = {name for name, folder in names.items() if folder.exists()}
    assert left == {"young000", "working0", "users000"}


def test_a_data_set_of_other_images_is_an_error(copied, tmp_path):
    replace(card.read(copied.folder), input_shape=(9, 9, 1)).write(copied.folder)
    with pytest.raises(DataError, match=r"its images are \(8, 8, 1\), the network takes \(9, 9, 1\)"):
        export.export(copied, "monday/0", [formats.KERAS], tmp_path / "out")


def test_a_damaged_network_is_an_error(copied, tmp_path):
    copied.model.write_bytes(b"no zip")
    with pytest.raises(DataError, match=r"model.keras cannot be loaded: .*\nTrain it again"):
        export.export(copied, "monday/0", [formats.ONNX], tmp_path / "out")


def test_a_network_that_brings_code_of_its_own_is_an_error(copied, tmp_path):
    lambda_layer = keras.layers.Lambda(lambda images: images)
    keras.Sequential([keras.Input((8, 8, 1)), lambda_layer]).save(copied.model)
    with pytest.raises(DataError, match=r"model.keras cannot be loaded: .*Lambda"):
        export.export(copied, "monday/0", [formats.KERAS], tmp_path / "out")


def test_of_several_formats_those_that_are_right_appear_and_the_others_are_told(copied, tmp_path):
    wrong = replace(formats.TFLITE, write=shifted_weights)
    exported = export.export(copied, "monday/0", [formats.KERAS, wrong], tmp_path / "out")
    assert [row.format for row in exported.files] == ["keras"]
    assert "as tflite differs" in exported.refused[0]
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"model.keras", *BESIDE}


def shifted_weights(network: keras.Model, path: Path, images: np.ndarray) -> None:
    wrong = keras.models.clone_model(network)
    wrong.set_weights([weight + 0.01 for weight in network.get_weights()])
    formats.TFLITE.write(wrong, path, images)


def test_a_file_in_8_bits_of_the_wrong_range_is_refused_unless_it_may_disagree(copied, tmp_path):
    def uncalibrated(network: keras.Model, path: Path, images: np.ndarray) -> None:
        formats.TFLITE_INT8.write(network, path, images * 1000)

    wrong = replace(formats.TFLITE_INT8, write=uncalibrated)
    with pytest.raises(ConfigError, match=r"gives \d+\.\d% of \d+ validation .* less than 95.0%: .* --min-agreement"):
        export.export(copied, "monday/0", [wrong], tmp_path / "out")
    (row,) = export.export(copied, "monday/0", [wrong], tmp_path / "out", min_agreement=0).files
    assert row.agreement < convert.MIN_AGREEMENT


def test_the_figures_of_a_file_are_on_the_trial_s_run_in_mlflow(tmp_path, capsys):
    monday = Path("multirun/monday")
    uri = store.absolute(f"sqlite:///{tmp_path}/mlflow.db")
    client, experiment = store.connect(uri, "digits")
    run_id = client.create_run(experiment).info.run_id
    ledger = monday / "mlflow.jsonl"
    before = ledger.read_text()
    try:
        ledger.write_text(before.replace(RUN_IDS[0], run_id))
        store.remember(monday, uri, "digits")
        run("monday/0", "--format", "tflite-int8", "--out", tmp_path / "out")
    finally:
        ledger.write_text(before)
        (monday / store.NAME).unlink()
    assert f"Logged to run {run_id[:8]} of MLflow" in capsys.readouterr().err
    (row,) = exports.read(tmp_path / "out")
    assert client.get_run(run_id).data.metrics == {
        "export/tflite-int8/size_bytes": row.size,
        "export/tflite-int8/difference": row.difference,
        "export/tflite-int8/agreement": row.agreement,
        "export/tflite-int8/latency_1_ms": row.latency_1_ms,
        "export/tflite-int8/latency_32_ms": row.latency_32_ms,
    }


@pytest.mark.parametrize("words", [["--format", "jpeg"], ["--format"], ["--min-agreement", "95"]])
def test_a_word_that_is_no_format_or_no_share_is_refused(words, capsys):
    with pytest.raises(SystemExit) as end:
        run(*words)
    assert end.value.code == 2
    assert words[0] in capsys.readouterr().err

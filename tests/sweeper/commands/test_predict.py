import argparse
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from rich.console import Console

from sweeper.commands import predict
from sweeper.config.compose import composed
from sweeper.data import z_scored
from sweeper.datasets import digits
from sweeper.errors import ConfigError, DataError
from sweeper.files import card, formats
from sweeper.training import pipeline, trial

FORMATS = {format.name: format for format in formats.FORMATS}


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    """Holds a network that knows the digits, in a folder for each format."""
    root = tmp_path_factory.mktemp("exported")
    cfg = composed(["model.filters=8", "trainer.epochs=5", "trainer.batch_size=16"])
    del cfg.tracking  # nothing of a trial
    trial.run(cfg, folder=root / "trial")
    network = formats.load_keras(root / "trial" / "model.keras")
    scale = card.read(root / "trial")
    seen = z_scored(digits.load(seed=0).train.images[:200], scale.mean, scale.std)
    for format in formats.FORMATS:
        (root / format.name).mkdir()
        card.read(root / "trial").write(root / format.name)
        format.write(network, root / format.name / format.file, seen)
    return root


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> list[Path]:
    """40 digits that the network has not seen, as PNG files called by their class."""
    folder = tmp_path_factory.mktemp("scans")
    test = digits.load(seed=0).test
    files = [folder / f"{label}-{number}.png" for number, label in enumerate(test.labels[:40])]
    for file, image in zip(files, test.images, strict=False):
        cv2.imwrite(str(file), image)
    return files


def run(*arguments: object) -> None:
    parser = argparse.ArgumentParser()
    predict.add_arguments(parser)
    assert predict.run(parser.parse_args([str(argument) for argument in arguments])) == 0


@pytest.mark.parametrize("format", FORMATS)
def test_digits_are_named_right_from_their_files_in_every_format(format, exported, scans):
    predictions = list(predict.predict(predict.load(exported / format), scans))
    assert [prediction.file for prediction in predictions] == scans
    right = [prediction.classes[0][0] == prediction.file.name[0] for prediction in predictions]
    assert np.mean(right) >= 0.9


def test_a_trial_s_own_folder_can_be_asked_too(exported, scans):
    by_trial, by_export = (list(predict.predict(predict.load(exported / word), scans)) for word in ("trial", "keras"))
    assert by_trial == by_export


def test_when_piped_each_of_the_three_likeliest_classes_is_a_line(exported, scans, capsys):
    run(exported / "keras", *scans[:2])
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == [str(scans[0])] * 3 + [str(scans[1])] * 3
    probabilities = [float(row[2]) for row in rows[:3]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) <= 1.000001
    assert len({row[1] for row in rows[:3]}) == 3


def test_on_a_terminal_each_file_is_named_once_in_a_table(exported, scans, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    run(exported / "keras", *scans[:2])
    printed = Console(no_color=True).render_str(capsys.readouterr().out).plain
    assert [printed.count(str(file)) for file in scans[:2]] == [1, 1]
    assert "probability" in printed


def test_more_images_than_fit_into_memory_at_once_keep_their_order(exported, scans, monkeypatch):
    classifier = predict.load(exported / "keras")
    whole = list(predict.predict(classifier, scans))
    monkeypatch.setattr(predict, "BATCH", 7)
    for one, other in zip(predict.predict(classifier, scans), whole, strict=True):
        assert one.file == other.file
        assert one.classes[0][1] == pytest.approx(other.classes[0][1], abs=1e-5)


def test_an_image_is_scaled_exactly_as_in_training(exported):
    data = digits.load(seed=0)
    ((trained_on, _),) = pipeline.evaluation(data.validation, data, batch_size=len(data.validation))
    scale = card.read(exported / "trial")
    scaled = z_scored(data.validation.images, scale.mean, scale.std)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, trained_on, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((4, 6, 3), [("red", 200.0), ("green", 100.0), ("blue", 50.0)]), ((4, 6, 1), [("red", 124.0)])],
)
def test_an_image_is_resized_and_read_as_rgb_or_gray(shape, expected, exported, tmp_path):
    cv2.imwrite(str(tmp_path / "wide.png"), np.full((30, 50, 3), (50, 100, 200), np.uint8))  # BGR
    plain = {"input_shape": shape, "mean": (0.0,) * shape[2], "std": (1.0,) * shape[2]}
    described = replace(card.read(exported / "trial"), classes=("red", "green", "blue"), **plain)
    means = formats.classify(keras.Sequential([keras.Input(shape), keras.layers.GlobalAveragePooling2D()]))
    (prediction,) = predict.predict(predict.Classifier(described, means), [tmp_path / "wide.png"])
    assert list(prediction.classes) == expected


def test_files_that_are_no_images_are_all_named(exported, scans, tmp_path, capfd):
    (tmp_path / "notes.png").write_text("no pixels")
    with pytest.raises(DataError, match=r"gone.png \(no such file\), .*notes.png \(no image\)") as error:
        run(exported / "keras", tmp_path / "gone.png", scans[0], tmp_path / "notes.png")
    assert str(scans[0]) not in str(error.value)
    assert "imread" not in capfd.readouterr().err  # OpenCV's own warning


def test_a_folder_that_is_no_export_is_an_error(exported, scans, tmp_path):
    for folder in (tmp_path, tmp_path / "gone"):
        with pytest.raises(ConfigError, match=r"holds no model.yaml. Give a folder that"):
            run(folder, scans[0])
    shutil.copy(exported / "keras" / "model.yaml", tmp_path)
    with pytest.raises(DataError, match=r"holds no network: none of model.onnx, model.keras"):
        run(tmp_path, scans[0])


@pytest.mark.parametrize("format", FORMATS)
def test_a_damaged_network_is_an_error(format, exported, scans, tmp_path):
    shutil.copytree(exported / format, tmp_path, dirs_exist_ok=True)
    file = tmp_path / FORMATS[format].file
    (file / "saved_model.pb" if file.is_dir() else file).write_bytes(b"no network")
    with pytest.raises(DataError, match=rf"{FORMATS[format].file} is no {format} file that can be loaded: .*\nExport"):
        run(tmp_path, scans[0])


def test_code_in_a_keras_file_is_not_run(exported, scans, tmp_path):
    shutil.copytree(exported / "keras", tmp_path, dirs_exist_ok=True)
    steps = [keras.layers.Lambda(lambda images: images * 2), keras.layers.Flatten(), keras.layers.Dense(10)]
    keras.Sequential([keras.Input((8, 8, 1)), *steps]).save(tmp_path / "model.keras")
    with pytest.raises(DataError, match=r"model.keras is no keras file that can be loaded: .*Lambda"):
        run(tmp_path, scans[0])


def test_a_missing_runtime_is_an_error_with_the_command_that_installs_it(exported, scans, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r"pip install onnxruntime$"):
        run(exported / "onnx", scans[0])


def test_a_class_whose_name_a_terminal_would_obey_is_spelled_out(exported, scans, tmp_path, capsys):
    shutil.copytree(exported / "keras", tmp_path, dirs_exist_ok=True)
    known = card.read(tmp_path)
    replace(known, classes=tuple(f"\x1b[2J{name}" for name in known.classes)).write(tmp_path)
    run(tmp_path, scans[0])
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert r"\x1b[2J" in shown


def test_a_network_of_two_channels_cannot_read_files(exported, scans, tmp_path):
    shutil.copytree(exported / "keras", tmp_path, dirs_exist_ok=True)
    known = card.read(tmp_path)
    replace(known, input_shape=(8, 8, 2), mean=known.mean * 2, std=known.std * 2).write(tmp_path)
    with pytest.raises(ConfigError, match="images of 2 channels"):
        run(tmp_path, scans[0])

"""A real training of the digits, trained again from what it left: as it is, and with what may have changed since."""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sweeper.commands import reproduce
from sweeper.errors import ConfigError, DataError
from sweeper.records import record
from sweeper.training import differences, origin

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "own_project"

SMALL = ["model.filters=4", "trainer.epochs=2", "dataset.train_size=300", "hparams.lr=3e-3"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with outputs/monday, trained by the command itself."""
    root = tmp_path_factory.mktemp("trained")
    command = [sys.executable, "-m", "sweeper", *SMALL, "hydra.run.dir=outputs/monday"]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    return root


@pytest.fixture
def copy(trained, tmp_path, monkeypatch):
    """The working folder: a copy to be changed. Gives the folder of the training."""
    shutil.copytree(trained / "outputs", tmp_path / "outputs")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "outputs" / "monday"


def run(*arguments):
    parser = argparse.ArgumentParser()
    reproduce.add_arguments(parser)
    return reproduce.run(parser.parse_args(arguments))


def replace_in(file, old, new):
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


@pytest.mark.slow
def test_the_command_gives_the_same_to_the_last_digit(trained):
    command = [sys.executable, "-m", "sweeper", "reproduce", "monday/0"]
    done = subprocess.run(command, cwd=trained, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing differs from then" in done.stdout
    assert "reproduced. " in done.stdout
    assert "2 standard errors of 75 images" in done.stdout
    assert done.stdout.endswith("Identical in all 2 epochs.\n")
    assert [path.name for path in (trained / "outputs").iterdir()] == ["monday"]


def test_another_result_is_not_reproduced(copy, capsys):
    value = json_value(copy)
    replace_in(copy / "trials.jsonl", f'"values":[{value}]', '"values":[0.05]')
    assert run("monday/0") == 1
    assert "then 0.0500: not reproduced" in capsys.readouterr().out


def json_value(folder):
    """Of the end of the only trial, as the journal spells it."""
    return (folder / "trials.jsonl").read_text().partition('"values":[')[2].partition("]")[0]


def test_a_tolerance_of_ones_own_is_the_judge(copy, capsys):
    replace_in(copy / "trials.jsonl", f'"values":[{json_value(copy)}]', '"values":[0.05]')
    assert run("monday/0", "--tolerance", "1") == 0
    assert "--tolerance" in capsys.readouterr().out


def test_what_differs_is_told_before_it_trains(copy, capsys):
    replace_in(copy / "origin.yaml", "keras: ", "keras: 0.")
    replace_in(copy / "config.yaml", "filters: 4", "filters: 5")
    was = origin.read(copy).data
    replace_in(copy / "origin.yaml", f"data: {was}", "data: another")
    run("monday/0")
    said = capsys.readouterr().out
    rows = {
        line.split()[0]: line.split()[1:] for line in said.splitlines() if line.startswith(("keras", "data", "model"))
    }
    assert rows["model.filters"] == ["5", "4"]
    assert rows["data"] == ["another", was]
    assert rows["keras"][0] == f"0.{rows['keras'][1]}"
    assert "Identical" not in said


@pytest.mark.slow
def test_a_changed_network_is_told_outside_of_git(trained, tmp_path):
    """The same config and packages, with another line in the network's file."""
    package = tmp_path / "package"
    for name in ("sweeper", "models", "datasets", "conf"):
        shutil.copytree(ROOT / name, package / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", package)
    replace_in(package / "models" / "custom.py", "elu", "relu")
    shutil.copytree(trained / "outputs", tmp_path / "outputs")
    command = [sys.executable, "-m", "sweeper", "reproduce", "monday/0"]
    environment = os.environ | {"PYTHONPATH": str(package)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "Nothing differs" not in done.stdout, done.stderr
    (row,) = (line.split() for line in done.stdout.splitlines() if line.startswith("code"))
    assert row[1] == row[3] == "sweeper"
    assert row[2] != row[4]
    assert "The same as then: config, data, packages, machine." in done.stdout


def test_code_that_an_earlier_version_did_not_record_is_unknown(copy, capsys):
    lines = [line for line in (copy / "origin.yaml").read_text().splitlines() if not line.startswith("code: ")]
    (copy / "origin.yaml").write_text("\n".join(lines))
    run("monday/0")
    said = capsys.readouterr().out
    (row,) = (line.split() for line in said.splitlines() if line.startswith("code"))
    assert row[:3] == ["code", "unknown", "sweeper"]
    assert "The same as then: config, data, packages, machine." in said


def test_data_that_tells_no_fingerprint_is_not_called_the_same():
    here = origin.Origin("", "machine", 1, {}, code="sweeper 1")
    assert differences.alike(list(differences.of_origins(here, here))) == ["config", "code", "packages", "machine"]


@pytest.mark.parametrize("threads", [-4, 0, 10**6])
def test_a_number_of_threads_that_would_end_the_process_is_refused(copy, threads):
    lines = (copy / "origin.yaml").read_text().splitlines()
    (copy / "origin.yaml").write_text(
        "\n".join(f"threads: {threads}" if line.startswith("threads: ") else line for line in lines)
    )
    with pytest.raises(DataError, match=f"threads is {threads}"):
        run("monday/0")


@pytest.fixture(scope="module")
def own_project(tmp_path_factory):
    """A copy of the example, swept as its README says, but with less."""
    project = tmp_path_factory.mktemp("own") / "project"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("multirun", "outputs", "__pycache__"))
    small = ["trainer.epochs=1", "dataset.images=150", "hydra.sweeper.n_trials=1", "hydra.sweep.dir=multirun/monday"]
    sweep = ["--config-dir", "conf", "-m", "+experiment=shapes", "hparams=search", *small]
    done = subprocess.run([sys.executable, "-m", "sweeper", *sweep], cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return project, done.stdout


def reproduced(project, *arguments):
    command = [sys.executable, "-m", "sweeper", "reproduce", "best", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True)


@pytest.mark.slow
def test_a_project_of_ones_own_is_reproduced_with_its_own_configs(own_project):
    done = reproduced(own_project[0], "--allow", "own_project.")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing differs from then: config, data, code, packages, machine." in done.stdout
    assert "Identical in all 1 epochs." in done.stdout


@pytest.mark.slow
def test_a_project_of_ones_own_is_not_called_unless_that_is_typed(own_project):
    done = reproduced(own_project[0])
    assert done.returncode == 2
    assert "(for export and reproduce: --allow own_project.shapes.load)" in done.stderr


def test_a_trial_without_its_origin_is_trained_all_the_same(copy, capsys):
    (copy / "origin.yaml").unlink()
    assert run("monday/0") == 0
    assert "not recorded" in capsys.readouterr().out


def test_the_network_stays_if_a_folder_is_given_for_it(copy, tmp_path):
    assert run("monday/0", "--out", str(tmp_path / "again")) == 0
    assert (tmp_path / "again" / "model.keras").exists()
    with pytest.raises(ConfigError, match="is not empty"):
        run("monday/0", "--out", str(tmp_path / "again"))


def test_what_no_training_of_ours_left_is_refused(write_sweep):
    write_sweep("tuesday", ("FINISHED", 0.5))
    with pytest.raises(ConfigError, match="only trainings of"):
        run("tuesday/0")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("python app.py x=1", "of another program"),
        ("it's", "of another program"),
        ("python -m sweeper model=gone", "refused: "),
    ],
)
def test_a_command_that_means_nothing_here_is_a_difference(copy, command, told):
    from sweeper.training import config

    (found,) = differences.of_configs(config.read(copy), command, ())
    assert told in found.then + found.now


def test_a_strangers_command_may_allow_itself_nothing(copy):
    from sweeper.config import allowed
    from sweeper.training import config

    command = "python -m sweeper hydra.sweeper.allow=[os.] " + " ".join(SMALL)
    assert differences.of_configs(config.read(copy), command, ()) == []
    assert allowed.typed() == ()


@pytest.mark.parametrize(
    ("metric", "value", "images", "tolerance"),
    [
        ("val_accuracy", 0.9, 100, 0.06),
        ("val_accuracy", 1.0, 100, 0.02),
        ("val_loss", 2.0, 100, 0.1),
        ("parameters", 1000.0, 100, 0.0),
        ("mflops", 7.0, 100, 0.0),
        ("onnx_kb", 13_000.0, 100, 260.0),
    ],
)
def test_how_far_a_value_may_be_apart(metric, value, images, tolerance):
    assert reproduce._tolerance(metric, value, images)[0] == pytest.approx(tolerance)


def test_what_is_timed_is_not_judged(write_sweep):
    values = (0.9, 13_000.0, 0.5, 0.7)
    metric = "val_accuracy,onnx_kb,tflite_int8_latency_ms,latency_ms"
    write_sweep("tuesday", ("FINISHED", *values), metric=metric, directions=("maximize", *("minimize",) * 3))
    sweep = record.read(Path("multirun/tuesday"))
    found = list(reproduce._judged(sweep, sweep.trials[0], (0.9, 13_100.0, 5.0, 7.0), 100, None))
    assert [(verdict.metric, verdict.holds) for verdict in found] == [("val_accuracy", True), ("onnx_kb", True)]

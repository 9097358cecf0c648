"""A real training of the digits, trained again from what it left: as it is, and with what may have changed since."""

import argparse
import shutil
import subprocess
import sys

import pytest

from sweeper.commands import reproduce
from sweeper.errors import ConfigError
from sweeper.training import differences, origin

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
    from sweeper.training import trial

    (found,) = differences.of_configs(trial.config(copy), command, ())
    assert told in found.then + found.now


def test_a_strangers_command_may_allow_itself_nothing(copy):
    from sweeper.config import allowed
    from sweeper.training import trial

    command = "python -m sweeper hydra.sweeper.allow=[os.] " + " ".join(SMALL)
    assert differences.of_configs(trial.config(copy), command, ()) == []
    assert allowed.typed() == ()


@pytest.mark.parametrize(
    ("metric", "value", "images", "tolerance"),
    [
        ("val_accuracy", 0.9, 100, 0.06),
        ("val_accuracy", 1.0, 100, 0.02),
        ("val_loss", 2.0, 100, 0.1),
        ("parameters", 1000.0, 100, 0.0),
    ],
)
def test_how_far_a_value_may_be_apart(metric, value, images, tolerance):
    assert reproduce._tolerance(metric, value, images)[0] == pytest.approx(tolerance)

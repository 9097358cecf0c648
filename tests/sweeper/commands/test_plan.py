"""`python -m sweeper plan` as a user runs it: with real corners of tiny networks."""

import os
import subprocess
import sys
import tempfile

import pytest

from sweeper.app import main
from sweeper.commands.plan import FIELDS


def plan(folder, *arguments):
    """Exit code, corners by field, figures of the sweep by name."""
    folder.mkdir(exist_ok=True)
    kept = {**os.environ, "TMPDIR": str(folder / "tmp")}
    (folder / "tmp").mkdir()
    command = [sys.executable, "-m", "sweeper", "plan", "-m", *arguments]
    done = subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, timeout=300)
    header, *lines = (line.split("\t") for line in done.stdout.splitlines())
    assert tuple(header) == FIELDS, done.stderr
    corners = [dict(zip(header, line, strict=True)) for line in lines if len(line) == len(header)]
    return done.returncode, corners, {name: value for name, value, *_ in lines[len(corners) :]}


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """Of three corners one fails: its learning rate is far too high."""
    folder = tmp_path_factory.mktemp("plan")
    space = ("model.filters=2,4", "hparams.lr=1e-3,1e30", "schedule=constant", "trainer.epochs=3")
    sweep = ("hydra.sweeper.n_trials=40", "hydra.sweeper.n_jobs=2")
    return folder, *plan(folder, *space, *sweep, "--most", "3", "--watts", "90")


def test_a_corner_that_runs_has_its_costs(planned):
    _, _, corners, _ = planned
    low, *_, high = (corner for corner in corners if not corner["fails"])
    assert low["params"] == "model.filters=2 hparams.lr=0.001"
    assert high["params"] == "model.filters=4 hparams.lr=0.001"
    assert int(low["parameters"]) < int(high["parameters"]) == 4950
    assert 0 < float(low["mflops"]) < float(high["mflops"])
    assert 3e8 < int(low["memory_bytes"]) < 5e9  # TensorFlow alone takes more than the one
    assert 0 < float(low["step_seconds"]) < float(low["trial_seconds"])
    assert float(low["trial_seconds"]) > 3 * 22 * float(low["step_seconds"])  # epochs, steps an epoch


def test_a_corner_that_fails_says_why_and_costs_the_exit_code(planned):
    _, code, corners, _ = planned
    assert code == 1
    (failed,) = (corner for corner in corners if corner["fails"])
    assert failed["params"] == "model.filters=4 hparams.lr=1e+30"
    assert failed["fails"].startswith("Diverged: The loss became nan in step ")


def test_the_sweep_is_forecast_from_the_corners_that_run(planned):
    _, _, corners, sweep = planned
    times = [float(corner["trial_seconds"]) for corner in corners if not corner["fails"]]
    assert (sweep["trials"], sweep["slots"], sweep["watts"]) == ("40", "2", "90.0")
    assert float(sweep["fastest"]) <= float(sweep["seconds"]) <= float(sweep["slowest"])
    assert float(sweep["seconds"]) > 40 * min(times) / 2
    assert float(sweep["watt_hours"]) == pytest.approx(90 * float(sweep["seconds"]) / 3600)


def test_nothing_stays_on_the_disk(planned):
    folder, *_ = planned
    assert [path.name for path in folder.iterdir()] == ["tmp"]
    assert not [path for path in (folder / "tmp").iterdir() if path.name.startswith("sweeper-plan-")]


def test_a_bad_value_and_missing_data_are_found(tmp_path):
    code, corners, sweep = plan(tmp_path, "dataset=folder", "hparams.dropout=0.4,1.0")
    assert code == 1
    assert sweep == {}
    missing, bad = (corner["fails"] for corner in corners)
    assert missing.startswith("ConfigError: dataset.path has no value")
    assert bad == "ConfigError: hparams.dropout=1.0: give a number from 0 to below 1."


@pytest.mark.slow
def test_memory_that_does_not_suffice_is_told_with_what_was_too_large(tmp_path):
    code, corners, _ = plan(tmp_path, "model.filters=4,400000", "trainer.epochs=1", "hydra.sweeper.n_jobs=1")
    assert code == 1
    failed = corners[-1]["fails"]
    assert failed.startswith("ResourceExhaustedError: OOM")
    assert "OOM when allocating tensor with shape[3,3,400000,400000]" in failed


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["model=custom"], "There is nothing to search"),
        (["-m", "hparams=search", "hparams.width=3"], "hparams.width: there is no such key."),
        (["-m", "hparams=search", "hydra.sweeper.n_trials=0"], "hydra.sweeper.n_trials=0: give a whole number"),
        (["-m", "hparams=search", "hydra.sweeper._target_=other.Sweeper"], "Choose hydra/sweeper=study"),
        (["-m", "hparams=search", "hydra/sweeper/sampler=grid"], "which has no grid"),
        (["-m", "hparams=search", "optimized_metric=val_loss"], "Add hydra.sweeper.direction=minimize"),
        (["-m", "hparams=search", "hydra.sweeper.deadline=2020-01-01"], "Give a later one"),
        (["-m", "hparams=search", "hydra.sweeper.custom_search_space=nowhere.f"], "hydra.sweeper.custom_search_space"),
        (["-m", "hparams=search", "--most", "0"], "--most 0: give the number of corners, from 1."),
        (["-m", "hparams=search", "--watts", "-5"], "--watts -5: give what the machine draws"),
    ],
)
def test_a_sweep_that_would_not_start_is_refused_in_a_sentence(arguments, complaint, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["sweeper", "plan", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert complaint in capsys.readouterr().err
    assert not list(tmp_path.iterdir())

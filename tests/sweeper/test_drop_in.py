"""Projects written for the official Optuna sweeper, in which only the word `optuna` became `study`."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import optuna
import pytest
import yaml

from sweeper.records import record

APP = """
import hydra
from omegaconf import DictConfig, OmegaConf
from optuna import Trial
from sweeper import plugin


def extend(cfg: DictConfig, trial: Trial) -> None:
    low = trial.params["x"]
    trial.suggest_float("z", low, low + cfg.reach)
    if low > 0:
        trial.suggest_int("+w", 1, 3)
    if trial.user_attrs["reach"] != "2.5":
        raise ValueError("out of reach")


@hydra.main(version_base="1.3", config_path=".", config_name="config")
def sphere(cfg: DictConfig):
    terms = [cfg.x**2, cfg.y**2, cfg.z**2, cfg.get("w", 0)]
    return (sum(terms), cfg.x - cfg.y) if cfg.pair else sum(terms)


if __name__ == "__main__":
    plugin.register()
    sphere()
"""
CONFIG = """
defaults:
  - _self_
  - override hydra/sweeper: study
  - override hydra/sweeper/sampler: tpe

hydra:
  sweeper:
    sampler:
      seed: 123
      n_startup_trials: 3
      multivariate: true
    direction: minimize
    study_name: sphere
    storage: null
    n_trials: 6
    n_jobs: 1
    max_failure_rate: 0.0
    params:
      x: range(-5.5, 5.5, 0.5)
      y: choice(-5, 0, 5)

x: 1
y: 1
z: 1
reach: 1.0
pair: false
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Runs such a project; its sweep lies in the folder `sweep`."""
    monkeypatch.chdir(tmp_path)
    Path("app.py").write_text(APP)
    Path("config.yaml").write_text(CONFIG)

    def run(*arguments):
        command = [sys.executable, "app.py", "--multirun", "hydra.sweep.dir=sweep", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        return done.returncode, done.stdout + done.stderr

    return run


def trials():
    return record.read(Path("sweep")).trials


def results():
    return yaml.safe_load(Path("sweep/optimization_results.yaml").read_text())


def test_its_params_are_searched_and_its_results_have_their_names(project):
    code, output = project()
    assert code == 0, output
    assert len(trials()) == 6
    for trial in trials():
        assert trial.params["x"] in [number / 2 for number in range(-11, 11)]
        assert trial.params["y"] in (-5, 0, 5)
        assert trial.values == (trial.params["x"] ** 2 + trial.params["y"] ** 2 + 1,)
    best = min(trials(), key=lambda trial: trial.values)
    assert results() == {"name": "optuna", "best_params": best.params, "best_value": best.values[0]}


def test_the_command_line_wins_over_params_and_keys_can_be_added_and_removed(project):
    code, output = project("x=interval(6, 7)", "+w=choice(1, 2)", "y=3", "~reach")
    assert code == 0, output
    for trial in trials():
        assert set(trial.params) == {"x", "+w"}
        assert 6 <= trial.params["x"] <= 7
        assert trial.values[0] == pytest.approx(trial.params["x"] ** 2 + 9 + 1 + trial.params["+w"])


def test_its_own_function_adds_dimensions_that_depend_on_the_others(project):
    code, output = project("hydra.sweeper.custom_search_space=app.extend", "reach=2.5", "hydra.sweeper.n_trials=10")
    assert code == 0, output
    for trial in trials():
        assert trial.params["x"] <= trial.params["z"] <= trial.params["x"] + 2.5
        assert ("+w" in trial.params) == (trial.params["x"] > 0)
        squares = sum(trial.params[key] ** 2 for key in "xyz")
        assert trial.values[0] == pytest.approx(squares + trial.params.get("+w", 0))
    assert len({"+w" in trial.params for trial in trials()}) == 2


def test_several_directions_give_the_solutions_that_no_other_beats(project):
    code, output = project("hydra.sweeper.direction=[minimize,maximize]", "pair=true")
    assert code == 0, output
    front = {(values["values"][0], values["values"][1]) for values in results()["solutions"]}
    every = {trial.values for trial in trials()}
    assert front == {
        one for one in every if not any(other != one and other[0] <= one[0] and other[1] >= one[1] for other in every)
    }


@pytest.mark.slow
def test_a_study_in_a_database_goes_on_in_the_next_sweep_up_to_the_total(project):
    storage = "hydra.sweeper.storage='sqlite:///sphere.db'"
    for folder, total in (("first", 6), ("second", 12)):
        code, output = project(storage, f"hydra.sweep.dir={folder}", f"hydra.sweeper.n_trials={total}")
        assert code == 0, output
    assert len(optuna.load_study(study_name="sphere", storage="sqlite:///sphere.db").trials) == 12


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("app.nothing", "hydra.sweeper.custom_search_space=app.nothing: "),
        ("app.extend", "hydra.sweeper.custom_search_space failed: ValueError: out of reach"),
    ],
)
def test_a_function_that_is_missing_or_fails_is_named(project, name, complaint):
    code, output = project(f"hydra.sweeper.custom_search_space={name}", "reach=3")
    assert code == 2, output
    assert complaint in output
    assert "Traceback" not in output


@pytest.mark.skipif(find_spec("torch") is not None, reason="PyTorch is installed")
def test_a_sampler_that_needs_pytorch_says_so_before_the_first_trial(project):
    Path("config.yaml").write_text(CONFIG.replace("sampler: tpe", "sampler: gp").replace("multivariate: true", ""))
    code, output = project()
    assert code == 2, output
    assert "hydra/sweeper/sampler=gp needs PyTorch: python -m pip install 'sweeper[gp]'" in output
    assert not Path("sweep/trials.jsonl").exists()

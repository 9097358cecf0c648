import csv
import shlex
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
import yaml
from omegaconf import OmegaConf
from optuna.storages.journal import JournalFileBackend

from sweeper.errors import ConfigError
from sweeper.records import journal, record
from sweeper.training import objectives

TWO = ("x=interval(-1, 1)", "two=true", "+optimized_metric=[height,x]", "epochs=1")
DIRECTIONS = "hydra.sweeper.direction=[maximize,minimize]"


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("val_accuracy", ("val_accuracy",)),
        (["val_accuracy", "latency_ms"], ("val_accuracy", "latency_ms")),
        (OmegaConf.create(["loss", "mflops"]), ("loss", "mflops")),
    ],
)
def test_one_word_or_a_list_names_the_objectives(given, names):
    assert objectives.names(given) == names


@pytest.mark.parametrize("given", [None, 3, [], [3], {"a": 1}])
def test_what_names_nothing_is_refused(given):
    with pytest.raises(ConfigError, match="give a word, val_accuracy, or a list"):
        objectives.names(given)


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (("f1",), r"optimized_metric=f1: f1 is not measured by a trial. Give one of loss, .*, latency_ms"),
        (("val_loss", "size"), r"optimized_metric=\[val_loss,size\]: size is not measured"),
        (("val_loss", "val_loss"), "val_loss is twice the same"),
        (("parameters",), r"known before the training.*'optimized_metric=\[val_accuracy,parameters\]'"),
    ],
)
def test_our_trainings_optimise_only_what_they_measure(names, complaint):
    with pytest.raises(ConfigError, match=complaint):
        objectives.check_measured(names)


@pytest.mark.parametrize(
    ("names", "epoch"),
    [(("val_loss",), "val_loss"), (("parameters", "val_accuracy", "loss"), "val_accuracy"), (("height",), "height")],
)
def test_the_best_epoch_is_by_the_first_metric_that_has_epochs(names, epoch):
    assert objectives.of_epochs(names) == epoch


@pytest.mark.parametrize(
    ("names", "directions"),
    [
        (("val_accuracy",), ("maximize",)),
        (("val_accuracy", "parameters"), ("maximize", "minimize")),
        (("f1", "height"), ("minimize", "maximize")),
        (("value",), ("minimize", "maximize")),  # a task that names nothing may return two
    ],
)
def test_directions_that_fit_are_taken(names, directions):
    objectives.check_directions(names, directions)


@pytest.mark.parametrize(
    ("names", "directions", "told"),
    [
        (("val_loss",), ("maximize",), "Add hydra.sweeper.direction=minimize"),
        (("val_accuracy",), ("minimize",), "Add hydra.sweeper.direction=maximize"),
        (("val_accuracy", "mflops"), ("maximize",), "Give 'hydra.sweeper.direction=[maximize,minimize]'"),
        (
            ("val_loss", "f1", "latency_ms"),
            ("maximize",),
            "Give 'hydra.sweeper.direction=[minimize,maximize,minimize]'",
        ),
        (("val_loss",), ("minimize", "minimize"), "Give hydra.sweeper.direction=minimize"),
        (("f1", "parameters"), ("maximize", "maximize"), "Add 'hydra.sweeper.direction=[maximize,minimize]'"),
    ],
)
def test_directions_that_keep_the_worst_or_are_not_as_many_are_refused_with_what_to_type(names, directions, told):
    with pytest.raises(ConfigError) as refused:
        objectives.check_directions(names, directions)
    assert str(refused.value).endswith(told)


def test_a_sweep_of_two_objectives_ends_with_its_pareto_front(light):
    code, output = light(*TWO, DIRECTIONS, "hydra.sweeper.n_trials=12")
    assert code == 0, output
    assert "maximize height, minimize x" in output
    sweep = record.read(Path("sweep"))
    front = [trial.number for trial in sweep.pareto_front()]
    storage = optuna.storages.JournalStorage(JournalFileBackend("sweep/study.journal"))
    study = optuna.load_study(study_name="sweep", storage=storage)
    assert front == [trial.number for trial in study.best_trials]
    assert f"Pareto front of {len(front)}" in output

    with open("sweep/leaderboard.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {int(row["trial"]) for row in rows if row["pareto_front"] == "True"} == set(front)
    assert [int(row["rank"]) for row in rows] == sorted(int(row["rank"]) for row in rows)
    assert [row["rank"] for row in rows].count("1") == len(front)
    assert sweep.best.number in front
    assert sweep.best.values[0] == max(trial.values[0] for trial in sweep.trials)
    assert f"Best by height: trial {sweep.best.number}" in output
    solutions = yaml.safe_load(Path("sweep/optimization_results.yaml").read_text())["solutions"]
    assert [solution["values"] for solution in solutions] == [list(sweep.trials[number].values) for number in front]
    pixels = Path("sweep/pareto.png").read_bytes()
    assert pixels.startswith(b"\x89PNG")
    assert [path.read_bytes() for path in Path("mlruns").rglob("pareto.png")] == [pixels]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "Give 'hydra.sweeper.direction=[maximize,maximize]'"),
        ([DIRECTIONS, "hydra/sweeper/sampler=cmaes"], "CmaEsSampler searches one objective, not 2"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_the_first_trial(light, arguments, complaint):
    code, output = light(*TWO, *arguments)
    assert code == 2
    assert complaint in output
    assert not Path("sweep", journal.NAME).exists()


@pytest.mark.slow
def test_accuracy_and_latency_of_real_trainings_have_a_front_whose_networks_are_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = ["model.filters=range(2, 6)", "dataset.train_size=200", "trainer.epochs=2", "hydra.sweeper.n_trials=3"]
    wanted = ["optimized_metric=[val_accuracy,latency_ms]", DIRECTIONS, "hydra.sweep.dir=sweep"]
    command = [sys.executable, "-m", "sweeper", "-m", "hparams=search", *small, *wanted]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    sweep = record.read(Path("sweep"))
    assert all(trial.values == (trial.facts["val_accuracy"], trial.facts["latency_ms"]) for trial in sweep.trials)
    assert all(trial.model.exists() for trial in sweep.pareto_front())
    assert sweep.best.tested
    again = subprocess.run(
        [sys.executable, *shlex.split(sweep.best.command)[1:]], capture_output=True, text=True, timeout=300
    )
    assert again.returncode == 0, again.stdout + again.stderr
    (single,) = record.read(next(Path("outputs").iterdir())).trials
    assert single.values[0] == sweep.best.values[0]


def test_an_axis_of_the_map_is_something_that_trials_measure():
    objectives.check_axes(["parameters", "latency_ms", "onnx_kb", "val_loss"])
    with pytest.raises(ConfigError, match=r"axes: latency is not measured by a trial\. Give some of parameters, .*"):
        objectives.check_axes(["parameters", "latency"])

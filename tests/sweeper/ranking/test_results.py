import csv
from pathlib import Path

import optuna
import pytest
import yaml
from rich.console import Console

from sweeper.page import retrace
from sweeper.page.page import Command
from sweeper.page.seen import Seen
from sweeper.ranking import results
from sweeper.records import record, sweeps
from sweeper.records.events import SweepEnded, TrialEnded, TrialStarted
from sweeper.records.journal import Journal


@pytest.fixture
def summary(capsys):
    """What the end of a sweep prints on 80 columns."""

    def summary(sweep):
        results.summary(sweep, Console(width=80))
        return capsys.readouterr().out

    return summary


@pytest.mark.parametrize(("direction", "best", "lr"), [("maximize", 0.9, 0.002), ("minimize", 0.3, 0.003)])
def test_the_results_of_one_objective_are_hydra_optuna_sweepers(write_sweep, direction, best, lr):
    outcomes = ("FINISHED", 0.7), ("FINISHED", 0.9), ("FINISHED", 0.3), ("PRUNED", 0.95), ("FAILED",)
    folder = write_sweep("monday", *outcomes, directions=(direction,))
    results.write(sweeps.find("monday"))
    assert (folder / "optimization_results.yaml").read_text() == (
        f"name: optuna\nbest_params:\n  hparams.lr: {lr}\n  hparams.dropout: 0.25\nbest_value: {best}\n"
    )


def test_the_results_of_several_objectives_are_optunas_pareto_front(write_sweep):
    points = (0.9, 30.0), (0.8, 40.0), (0.7, 10.0), (0.9, 30.0)
    directions = ("maximize", "minimize")
    folder = write_sweep("both", *[("FINISHED", *point) for point in points], directions=directions)
    results.write(sweeps.find("both"))
    study = optuna.create_study(directions=directions)
    for point in points:
        study.add_trial(optuna.trial.create_trial(values=point))
    written = yaml.safe_load((folder / "optimization_results.yaml").read_text())
    assert written["name"] == "optuna"
    assert [solution["values"] for solution in written["solutions"]] == [trial.values for trial in study.best_trials]
    assert written["solutions"][1]["params"] == {"hparams.lr": 0.003, "hparams.dropout": 0.25}


def test_the_summary_names_the_front_its_best_and_the_networks_that_were_not_kept(write_sweep, summary):
    points = ("FINISHED", 0.9, 30.0), ("FINISHED", 0.8, 40.0), ("FINISHED", 0.7, 10.0), ("FINISHED", 0.8, 20.0)
    folder = write_sweep("both", *points, metric="val_accuracy,mflops", directions=("maximize", "minimize"))
    for kept in ("0", "2"):
        (folder / kept).mkdir()
        (folder / kept / "model.keras").touch()
    shown = summary(sweeps.find("both"))
    assert "Pareto front: trials 0, 2, 3. Best by val_accuracy: trial 0, `best` below" in shown
    assert "networks not kept: trials 3. Keep more: hydra.sweeper.keep_models=3" in shown


@pytest.mark.parametrize(("top", "name"), [("multirun", "monday"), ("elsewhere", "elsewhere/monday")])
def test_the_summary_of_an_absolute_folder_is_short_and_its_command_finds_the_sweep(write_sweep, summary, top, name):
    folder = write_sweep("monday", ("FINISHED", 0.9), top=top).absolute()
    shown = summary(record.read(folder))
    assert f"Written to {top}/monday. Next:" in shown
    typed = shown.rpartition("--sweep ")[2].strip()
    assert typed.endswith(name)
    assert sweeps.find(typed).folder.absolute() == folder


def test_all_trials_go_into_the_csv_file_also_when_none_finished(write_sweep):
    folder = write_sweep("bad", ("FAILED",), ("PRUNED", 0.5), ("FAILED",))
    results.write(sweeps.find("bad"))
    with open(folder / "leaderboard.csv", newline="") as file:
        assert [row["trial"] for row in csv.DictReader(file)] == ["1", "0", "2"]
    assert not (folder / "optimization_results.yaml").exists()


@pytest.mark.parametrize(
    ("typed", "confirms"),
    [("--config-dir conf -m", True), ("--config-dir conf -cn mine -m", False), ("-m", True)],
)
def test_the_next_commands_of_a_project_of_ones_own_can_be_typed_as_they_are(write_sweep, summary, typed, confirms):
    folder = write_sweep("monday", ("FINISHED", 0.7), ("FINISHED", 0.9))
    told = folder / "trials.jsonl"
    allowing = told.read_text().replace('"allow":[]', '"allow":["own_project."]')
    told.write_text(allowing.replace("sweeper -m", f"sweeper {typed}"))
    (folder / "1").mkdir()
    (folder / "1" / "model.keras").touch()
    sweep = sweeps.find("monday")
    shown = summary(sweep)
    exporting = "python -m sweeper export best --sweep monday --allow own_project."
    assert f"  {exporting}\n" in shown
    assert ("  python -m sweeper confirm --sweep monday\n" in shown) is confirms
    commands = retrace.section(Seen(sweep, running=False)).blocks
    assert exporting in [command.line for command in commands if isinstance(command, Command)]


def test_the_summary_shows_ten_trials_and_what_to_type_next(write_sweep, write_run_ids, summary):
    folder = write_sweep("monday", *[("FINISHED", number / 20) for number in range(12)])
    write_run_ids(folder, *(f"{number:032x}" for number in range(12)))
    (folder / "11").mkdir()
    (folder / "11" / "model.keras").touch()
    shown = summary(sweeps.find("monday"))
    assert " 1  11     custom  0.5500  lr=0.012 dropout=0.25" in shown
    assert "10  2 " in shown
    assert "11  1 " not in shown
    assert "12 finished (10 rows shown)" in shown
    assert shown.endswith(
        "Written to multirun/monday. Next:\n"
        "  python -m sweeper leaderboard --sweep monday\n"
        "  python -m sweeper report --sweep monday\n"
        "  python -m sweeper export best --sweep monday\n"
        "  python -m sweeper confirm --sweep monday\n"
        "  python -m sweeper ui --sweep monday\n"
    )


def test_the_summary_offers_no_export_without_a_model_and_no_mlflow_without_a_run(write_sweep, summary):
    write_sweep("monday", ("FINISHED", 0.9))
    shown = summary(sweeps.find("monday"))
    assert "export" not in shown
    assert "sweeper ui" not in shown


def test_the_summary_counts_failures_by_their_reasons(write_sweep, summary):
    write_sweep("bad", ("FAILED",), ("FINISHED", 0.5), ("FAILED",), reason="ValueError: no\nTraceback ...")
    shown = summary(sweeps.find("bad"))
    assert "2 failed: ValueError: no\n" in shown
    assert "Traceback" not in shown


def test_failures_that_differ_in_their_numbers_are_one_line(write_sweep, write_ended, summary):
    write_sweep("bad", ("FINISHED", 0.5))
    write_ended("ValueError: rate=0.31", "ValueError: rate=2e-05")
    assert "2 failed: ValueError: rate=0.31\n" in summary(sweeps.find("bad"))


def test_what_ended_the_sweep_is_not_told_again_and_no_hopeless_command_is_offered(write_sweep, write_ended, summary):
    write_sweep("bad")
    write_ended("ConfigError: rate=0.31 is none", "OSError: no", ended="failed alike\n\nrate=2e-05 is none")
    shown = summary(sweeps.find("bad"))
    assert "is none" not in shown
    assert "1 failed: OSError: no" in shown
    assert "hydra.sweeper.resume" not in shown


@pytest.fixture
def write_ended():
    """Writes trials that failed, each with its reason, and the sweep's end."""

    def write(*reasons, ended=None):
        journal = Journal(Path("multirun/bad"))
        for trial, reason in enumerate(reasons, 10):
            journal.write(TrialStarted(trial, 0, {}, "train", str(trial), 1000.0))
            journal.write(TrialEnded(trial, "FAILED", None, reason))
        journal.write(SweepEnded("FAILED" if ended else "FINISHED", ended, None, 1000.0))
        journal.close()

    return write

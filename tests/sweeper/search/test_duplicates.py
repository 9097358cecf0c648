from pathlib import Path

import pytest

from sweeper.commands import export
from sweeper.errors import ConfigError
from sweeper.records import record
from sweeper.records.events import EpochReported, TrialEnded
from sweeper.records.journal import read
from sweeper.records.record import Trial
from sweeper.search.duplicates import Duplicates

from ..watched import mlflow_client

SPACE = ("x=1,2,3", "kind=round,flat", "hydra/sweeper/sampler=random", "hydra/sweeper/pruner=none")


def ended(number, state="FINISHED", facts=None):
    return TrialEnded(number, state, (0.5,), None, facts or {"epochs": 3})


def test_a_finished_trial_is_known_by_its_parameters_in_any_order():
    duplicates = Duplicates()
    duplicates.add({"x": 1, "kind": "flat"}, ended(4))
    found = duplicates.of({"kind": "flat", "x": 1})
    assert (found.trial, found.values, found.facts) == (4, (0.5,), {"epochs": 3, "duplicate_of": 4})


@pytest.mark.parametrize("other", [{"x": 1.0}, {"x": True}, {"x": "1"}, {"x": 1, "y": 2}, {}])
def test_other_parameters_are_no_duplicate(other):
    duplicates = Duplicates()
    duplicates.add({"x": 1}, ended(4))
    assert duplicates.of(other) is None


@pytest.mark.parametrize("state", ["PRUNED", "FAILED", "CRASHED", "INTERRUPTED"])
def test_what_did_not_finish_is_trained_again(state):
    duplicates = Duplicates()
    duplicates.add({"x": 1}, ended(4, state))
    assert duplicates.of({"x": 1}) is None


def test_a_copy_of_a_copy_names_the_one_that_was_trained():
    duplicates = Duplicates()
    duplicates.add({"x": 1}, ended(4))
    duplicates.add({"x": 1}, ended(7, facts={"duplicate_of": 4}))
    assert duplicates.of({"x": 1}).facts["duplicate_of"] == 4


def test_the_trials_before_a_resume_are_known():
    before = [
        Trial(3, {"x": 1}, "", Path("3"), "FINISHED", (0.5,)),
        Trial(4, {"x": 2}, "", Path("4"), "PRUNED", (0.1,)),
    ]
    duplicates = Duplicates(before)
    assert duplicates.of({"x": 1}).trial == 3
    assert duplicates.of({"x": 2}) is None


def test_a_space_smaller_than_the_sweep_is_trained_once_and_told_to_the_end(light):
    code, output = light(*SPACE, "hydra.sweeper.n_trials=40", "hydra.sweeper.n_jobs=1")
    assert code == 0, output
    trials = record.read(Path("sweep")).trials
    assert [trial.state for trial in trials] == ["FINISHED"] * 40
    trained = {event.trial for event in read(Path("sweep")) if isinstance(event, EpochReported)}
    copies = [trial for trial in trials if trial.duplicate_of is not None]
    assert len(trained) == 6  # one slot: no two of the same at a time
    assert trained == {trial.number for trial in trials} - {trial.number for trial in copies}
    for trial in copies:
        first = trials[trial.duplicate_of]
        assert first.number < trial.number
        assert (trial.params, trial.values) == (first.params, first.values)
        assert trial.facts == first.facts | {"duplicate_of": first.number}
        assert trial.reason == f"the same as trial {first.number}, which was trained"
    assert "6 finished, 34 duplicate" in output

    client = mlflow_client()
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    told = [run.data.metrics.get("trial/duplicate_of") for run in runs if "sweeper.trial" in run.data.tags]
    assert sorted(number for number in told if number is not None) == sorted(trial.duplicate_of for trial in copies)
    assert len(told) == 40


def test_a_noisy_task_can_be_trained_again_and_again(light):
    code, output = light("x=1,2", *SPACE[2:], "hydra.sweeper.n_trials=8", "hydra.sweeper.reuse_duplicates=false")
    assert code == 0, output
    assert all(trial.curve and trial.duplicate_of is None for trial in record.read(Path("sweep")).trials)


def test_an_export_of_a_duplicate_names_the_trial_that_has_the_network(tmp_path):
    copy = Trial(7, {}, "", tmp_path / "7", "FINISHED", (0.5,), facts={"duplicate_of": 4})
    with pytest.raises(ConfigError, match=r"Trial 7 was not trained: .* trial 4, .* Export that one"):
        export.export(copy, "monday/7", [export.formats.KERAS], tmp_path / "out")


def test_a_resumed_sweep_knows_what_was_trained_before(light):
    constrained = "hydra.sweeper.constraints=['height <= 0.5']"
    space = ("x=1,2,3", "kind=round,flat", "hydra/sweeper/pruner=none", "hydra.sweeper.n_jobs=1", constrained)
    assert light(*space, "hydra.sweeper.n_trials=5")[0] == 0
    code, output = light(*space, "hydra.sweeper.n_trials=15", "hydra.sweeper.resume=sweep")
    assert code == 0, output
    trials = record.read(Path("sweep")).trials
    trained = [trial.params for trial in trials if trial.curve]
    assert len(trials) == 15
    assert len(trained) == len({tuple(params.items()) for params in trained}) <= 6
    assert all(bool(trial.missed) == (trial.params["kind"] == "flat") for trial in trials)

"""Each way in which a trial can fail: its state, what the sampler and MLflow learn of it, and when a sweep gives up."""

import math
import os
import signal
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sweeper.records import journal, record
from sweeper.records.events import EpochReported, TrialStarted

from ..watched import (
    EACH_EXECUTOR,
    GATED,
    LATE,
    ONE_SLOT,
    PATIENCE,
    X,
    events,
    let_through,
    mlflow_client,
    slots,
    study,
    trials,
    until,
)

TOLERANT = ("hydra/sweeper/sampler=grid", "hydra.sweeper.max_failure_rate=0.9", "hydra/sweeper/pruner=none")
FAILURES = {  # `fail` of a trial -> its state, what the study learns, and the reason
    "nan": ("DIVERGED", "COMPLETE", "returned nan"),
    "memory": ("OUT_OF_MEMORY", "COMPLETE", "MemoryError"),
    "leak": ("OUT_OF_MEMORY", "COMPLETE", "GB of hydra.sweeper.executor.memory_limit=0.8"),
    "always": ("FAILED", "FAIL", "ValueError: no hill here"),
    "hang": ("HUNG", "FAIL", "no epoch within"),
    "exit": ("KILLED", "FAIL", "its process was lost 3 times (exit code 7"),
}


@EACH_EXECUTOR
def test_each_failure_has_its_state_and_costs_the_others_nothing(sweep):
    limits = ("hydra.sweeper.executor.memory_limit=0.8", "hydra.sweeper.trial_timeout=15")
    code, output = sweep(f"fail=never,'nan',{','.join([*FAILURES][1:])}", *TOLERANT, *limits)
    assert code == 0, output
    ended = {trial.params["fail"]: trial for trial in trials()}
    assert ended.pop("never").state == "FINISHED"
    assert ended.keys() == FAILURES.keys()
    for fail, (state, told, reason) in FAILURES.items():
        trial = ended[fail]
        assert trial.state == state
        assert reason in trial.reason
        learned = study().trials[trial.number]
        assert (learned.state.name, learned.value) == (told, -math.inf if told == "COMPLETE" else None)
        run = mlflow_client().get_run(trial.run_id)
        assert (run.data.tags["sweeper.state"], run.info.status) == (state, "FAILED")
        assert f"1 {state.lower().replace('_', ' ')}: {trial.reason}" in output


@EACH_EXECUTOR
def test_a_full_disk_ends_the_sweep_not_the_trials(sweep):
    code, output = sweep(X, "fail=full", "hydra.sweeper.max_failure_rate=1")
    assert code == 1
    assert "No space left on device" in output
    assert "Traceback" not in output
    assert {trial.state for trial in trials()} == {"INTERRUPTED"}
    assert "hydra.sweeper.resume=" in output


@EACH_EXECUTOR
def test_a_slot_that_stands_still_is_replaced(start):
    process = start(
        *(X, ONE_SLOT, "hydra.sweeper.n_trials=3", "hydra.sweeper.trial_timeout=15", *TOLERANT[1:]),
        *("pause=0.2", "epochs=1000", "enough=enough"),
    )
    until(lambda: any(isinstance(event, EpochReported) for event in events()))
    (slot,) = slots(process)
    os.kill(slot.pid, signal.SIGSTOP)
    Path("enough").touch()
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err
    assert [trial.state for trial in trials()] == ["HUNG", "FINISHED", "FINISHED"]


@pytest.mark.parametrize("sampler", ["tpe", "random", "cmaes", "nsgaii", "qmc"])
def test_samplers_live_with_ruined_trials(sampler):
    """In one process: what a study tells them is minus infinity."""
    import optuna
    from hydra import compose, initialize_config_module

    from sweeper import plugin

    plugin.register()
    with initialize_config_module("sweeper.conf", version_base="1.3"):
        node = compose("config", [f"hydra/sweeper/sampler={sampler}"], return_hydra_config=True).hydra.sweeper.sampler
    from sweeper.config.node import made

    learned = optuna.create_study(direction="maximize", sampler=made(node, "hydra.sweeper.sampler", ()))
    for number in range(30):
        trial = learned.ask()
        x = trial.suggest_float("x", -1, 1) + trial.suggest_float("y", -1, 1)
        learned.tell(trial, -math.inf if number % 3 == 0 or x > 1 else -(x**2))
    assert math.isfinite(learned.best_value)


def two_trials_run():
    return sum(isinstance(event, TrialStarted) for event in events()) == 2


@EACH_EXECUTOR
def test_no_trial_starts_after_the_timeout_and_those_that_run_end(start):
    timeout = "hydra.sweeper.timeout=3600"
    process = start(X, GATED, timeout, *TOLERANT[1:], program=(str(LATE),))
    until(two_trials_run)
    Path("late").write_text("3600")
    let_through(*range(8))
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err
    assert [trial.state for trial in trials()] == ["FINISHED"] * 2
    ended = record.read(Path("sweep")).ended
    assert (ended.state, ended.reason) == ("FINISHED", f"{timeout} was reached")
    assert "hydra.sweeper.resume=" in out


@EACH_EXECUTOR
def test_running_trials_are_stopped_in_time_for_the_deadline(start):
    deadline = datetime.now() + timedelta(hours=2)
    process = start(X, GATED, f"hydra.sweeper.deadline='{deadline.isoformat()}'", program=(str(LATE),))
    until(two_trials_run)
    until(Path("sweep", record.RUNS).exists)  # the first use of MLflow takes longer than all that a sweep ends with
    late = deadline - datetime.now() - timedelta(seconds=30)
    Path("late").write_text(str(late.total_seconds()))
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err
    assert datetime.now() + late < deadline
    assert [trial.state for trial in trials()] == ["INTERRUPTED"] * 2
    assert "deadline" in record.read(Path("sweep")).ended.reason


@pytest.mark.parametrize("deadline", ["soon", "2020-01-01T00:00", "25:00"])
def test_a_deadline_that_is_none_is_refused(sweep, deadline):
    code, output = sweep(X, f"hydra.sweeper.deadline='{deadline}'")
    assert code == 2
    assert f"hydra.sweeper.deadline={deadline}: " in output
    assert not Path("sweep", journal.NAME).exists()

"""Whole sweeps of a task that costs nothing, with real processes: as a user starts, kills and stops them."""

import os
import re
import signal
from pathlib import Path

import pytest
import yaml

from sweeper.records import journal, record
from sweeper.records.events import EpochReported, TrialEnded, TrialStarted

from ..watched import (
    EACH_EXECUTOR,
    GATED,
    ONE_SLOT,
    PATIENCE,
    X,
    events,
    let_through,
    lives,
    slots,
    study,
    trials,
    until,
)


@pytest.mark.parametrize("executor", ["local", "ray"], indirect=True)
def test_every_trial_is_told_once_to_journal_and_study(sweep):
    code, output = sweep(X, "hydra/sweeper/pruner=none")
    assert code == 0, output
    assert [trial.number for trial in trials()] == list(range(8))
    assert {trial.state for trial in trials()} == {"FINISHED"}
    assert [trial.value for trial in study().trials] == [trial.values[0] for trial in trials()]
    for trial in trials():
        assert trial.values[0] == pytest.approx(1 - trial.params["x"] ** 2)


def test_a_sweep_leaves_its_results_and_names_the_next_commands(sweep):
    _, output = sweep(X)
    best = max((trial for trial in trials() if trial.state == "FINISHED"), key=lambda trial: trial.values[0])
    results = yaml.safe_load(Path("sweep/optimization_results.yaml").read_text())
    assert results == {"name": "optuna", "best_params": best.params, "best_value": best.values[0]}
    assert Path("sweep/leaderboard.csv").read_text().count("\n") == 9
    assert "leaderboard --sweep" in output


@EACH_EXECUTOR
def test_what_a_task_prints_lies_in_the_log_of_its_slot(sweep):
    _, output = sweep("x=0.125,0.25", "hydra.sweeper.n_trials=4")
    logs = "".join(path.read_text() for path in Path("sweep/slots").iterdir())
    assert "x=0.125" in logs
    assert "\nx=0.125\n" not in output


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "random", "cmaes", "qmc", "nsgaii"])
def test_every_sampler_draws_numbers_and_categories(sweep, sampler):
    code, output = sweep(X, "kind=round,flat", f"hydra/sweeper/sampler={sampler}", "hydra/sweeper/pruner=none")
    assert code == 0, output
    assert len({trial.params["x"] for trial in trials()}) == 8
    assert {trial.params["kind"] for trial in trials()} <= {"round", "flat"}


def test_the_grid_visits_every_combination_once_and_ends(sweep):
    code, output = sweep("x=1,2,3", "kind=round,flat", "hydra/sweeper/sampler=grid", "hydra.sweeper.n_trials=50")
    assert code == 0, output
    visited = sorted((trial.params["x"], trial.params["kind"]) for trial in trials())
    assert visited == [(x, kind) for x in (1, 2, 3) for kind in ("flat", "round")]


@EACH_EXECUTOR
@pytest.mark.slow
@pytest.mark.parametrize("pruner", ["median", "hyperband", "asha"])
def test_every_pruner_stops_the_trials_that_fall_behind(sweep, pruner):
    few = ["hydra.sweeper.n_trials=30", "hydra/sweeper/sampler=random", "epochs=9", f"hydra/sweeper/pruner={pruner}"]
    code, output = sweep(X, *few, *(["hydra.sweeper.pruner.max_resource=9"] if pruner == "hyperband" else []))
    assert code == 0, output
    pruned = [trial for trial in trials() if trial.state == "PRUNED"]
    assert 0 < len(pruned) < 30
    assert all(len(trial.curve) < 9 or trial.curve[-1][0] == 9 for trial in pruned)
    assert min(len(trial.curve) for trial in pruned) < 9


@EACH_EXECUTOR
def test_a_free_slot_gets_work_before_the_others_are_done(start):
    """No batches: while one slot works on a slow trial the other one goes through all the rest."""
    let_through(1, 2, 3)
    process = start(X, GATED, "hydra/sweeper/pruner=none", "hydra.sweeper.n_trials=4")
    until(lambda: {event.trial for event in events() if isinstance(event, TrialEnded)} == {1, 2, 3})
    assert process.poll() is None
    let_through(0)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err
    assert [trial.state for trial in trials()] == ["FINISHED"] * 4


@EACH_EXECUTOR
def test_a_killed_slot_costs_one_retry_and_no_trial(start):
    on_and_on = ("pause=0.2", "epochs=1000", "enough=enough")
    process = start(X, *on_and_on, "hydra/sweeper/pruner=none", "hydra.sweeper.n_trials=3", ONE_SLOT)
    until(lambda: any(isinstance(event, EpochReported) for event in events()))
    (slot,) = slots(process)
    os.kill(slot.pid, signal.SIGKILL)
    until(lambda: any(isinstance(event, TrialEnded) for event in events()))
    Path("enough").touch()
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err
    crashed = [event for event in events() if isinstance(event, TrialEnded) and event.state == "CRASHED"]
    assert len(crashed) == 1
    assert "killed by SIGKILL" in crashed[0].reason
    assert [trial.state for trial in trials()] == ["FINISHED"] * 3
    assert [trial.state.name for trial in study().trials] == ["COMPLETE"] * 3


@EACH_EXECUTOR
@pytest.mark.slow
def test_a_trial_that_kills_its_process_again_and_again_fails(sweep):
    code, output = sweep("fail=never,exit", "hydra/sweeper/sampler=grid", "hydra.sweeper.max_failure_rate=0.5")
    assert code == 0, output
    states = {trial.params["fail"]: (trial.state, trial.reason) for trial in trials()}
    assert states["never"] == ("FINISHED", None)
    assert states["exit"][0] == "KILLED"
    assert "lost 3 times (exit code 7" in states["exit"][1]


@EACH_EXECUTOR
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_ends_with_everything_told_and_no_process_left(start, number):
    process = start(X, "pause=0.3", "hydra.sweeper.n_trials=100")
    until(lambda: any(isinstance(event, TrialEnded) for event in events()))
    before = slots(process)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, out + err
    assert {trial.state for trial in trials()} <= {"FINISHED", "PRUNED", "INTERRUPTED"}
    assert record.read(Path("sweep")).ended.state == "INTERRUPTED"
    going_on = {trial.number for trial in trials() if trial.state == "INTERRUPTED"}
    assert {trial.number for trial in study().trials if not trial.state.is_finished()} == going_on
    assert Path("sweep/leaderboard.csv").exists()
    assert "hydra.sweeper.resume=" in out
    until(lambda: not any(lives(slot) for slot in before))


@EACH_EXECUTOR
def test_slots_die_with_a_killed_coordinator(start):
    process = start(X, "pause=5")
    until(lambda: any(isinstance(event, TrialStarted) for event in events()))
    left = slots(process)
    assert left
    process.kill()
    until(lambda: not any(lives(slot) for slot in left))


@EACH_EXECUTOR
def test_three_trials_failing_alike_from_the_start_stop_the_sweep_and_show_why(sweep):
    code, output = sweep(X, "fail=always", "hydra.sweeper.max_failure_rate=1")
    assert code == 1
    assert "ValueError: no hill here" in output
    assert "app.py, line " in output
    assert "Traceback" not in output
    (log,) = re.findall("The full traceback is in (.*)", output)
    assert "Traceback" in Path(log).read_text()
    assert len([trial for trial in trials() if trial.state == "FAILED"]) == 3
    assert record.read(Path("sweep")).ended.state == "FAILED"


@EACH_EXECUTOR
def test_too_many_failures_end_the_sweep_with_its_results_written(sweep):
    code, output = sweep(X, "fail='nan'", "hydra.sweeper.max_failure_rate=0.25")
    assert code == 1
    assert "3 of 8 trials failed" in output
    assert Path("sweep/leaderboard.csv").exists()


@EACH_EXECUTOR
@pytest.mark.slow
def test_a_slot_is_replaced_after_so_many_trials(start):
    process = start(X, "hydra.sweeper.executor.recycle_after=2", ONE_SLOT, GATED, "hydra/sweeper/pruner=none")
    seen = []
    for number in (0, 2, 4, 6):
        until(lambda number=number: number in {event.trial for event in events() if isinstance(event, TrialStarted)})
        seen += [slot.pid for slot in slots(process)]
        let_through(number, number + 1)
    assert len(seen) == len(set(seen)) == 4
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err


def test_a_folder_that_holds_a_sweep_is_not_written_into(sweep):
    sweep(X)
    before = Path("sweep", journal.NAME).read_text()
    code, output = sweep(X)
    assert code == 2
    assert "holds a sweep already" in output
    assert Path("sweep", journal.NAME).read_text() == before


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["x=1"], "nothing to search"),
        ([X, "+hydra.sweeper.trials=3"], "hydra.sweeper.trials is not a setting"),
        ([X, "hydra.sweeper.n_trials=0"], "hydra.sweeper.n_trials=0: give a whole number of at least 1"),
        ([X, "hydra.sweeper.direction=up"], "hydra.sweeper.direction=up: give minimize or maximize"),
        ([X, "hydra.sweeper.max_failure_rate=2"], "hydra.sweeper.max_failure_rate=2: give a share"),
        (["+hill=broken"], "hill.width=7 is no range"),
        ([X, "hydra.sweeper.enqueue=[{x: 7}]"], "hydra.sweeper.enqueue[0]: x=7 is none of the numbers from -1 to 1"),
        ([X, "hydra.sweeper.enqueue=[7]"], "hydra.sweeper.enqueue=[7]: give a list of values by key"),
        ([X, "hydra.sweeper.enqueue=yesterday"], "No sweep lies below"),
        (
            [X, "hydra/launcher=basic", "hydra.launcher._target_=somebody.SlurmLauncher"],
            "is not used by hydra/sweeper=study",
        ),
        ([X, "hydra.sweeper.test=perhaps"], "hydra.sweeper.test=perhaps: give true or false"),
        ([X, "hydra.sweeper.storage=nowhere"], "hydra.sweeper.storage=nowhere cannot hold the study"),
        ([X, "hydra.sweeper.direction=null"], "hydra.sweeper.direction=null: give minimize or maximize"),
        ([X, "+optimized_metric=val_loss"], "Add hydra.sweeper.direction=minimize"),
        ([X, "hydra/sweeper/sampler=grid"], "x is an interval, which has no grid"),
        ([X, "+hydra.sweeper.sampler.speed=3"], "hydra.sweeper.sampler: sweeper.search.tpe.TPESampler refused"),
        ([X, "+hydra.sweeper.pruner.speed=3"], "hydra.sweeper.pruner: optuna.pruners.MedianPruner refused"),
        ([X, "+hydra.sweeper.executor.speed=3"], "hydra.sweeper.executor: sweeper.engine.local.LocalExecutor refused"),
        ([X, "hydra.sweeper.custom_search_space=nowhere.f"], "hydra.sweeper.custom_search_space"),
        ([X, "+tracking.uri=http://***@host"], "tracking.uri=http://***@host"),
    ],
)
def test_a_bad_setting_ends_with_one_sentence_and_no_sweep(sweep, arguments, complaint):
    code, output = sweep(*arguments)
    assert code == 2
    assert complaint in output
    assert "Traceback" not in output
    assert not Path("sweep").exists()


def test_an_objective_that_no_training_of_ours_measures_is_refused_before_the_sweep(start):
    metrics = ["optimized_metric=[val_accuracy,onnx_foo]", "hydra.sweeper.direction=[maximize,minimize]"]
    process = start(*metrics, "hparams=search", "hydra.sweep.dir=sweep", program=("-m", "sweeper"))
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert "onnx_foo is not measured by a trial" in err
    assert not Path("sweep").exists()


@EACH_EXECUTOR
@pytest.mark.slow
def test_a_dead_slot_is_noticed_though_its_child_holds_the_connection(sweep):
    code, output = sweep("fail=never,orphan", "hydra/sweeper/sampler=grid", "hydra.sweeper.max_failure_rate=0.5")
    assert code == 0, output
    assert {trial.params["fail"]: trial.state for trial in trials()} == {"never": "FINISHED", "orphan": "KILLED"}
    assert max(trial.seconds for trial in trials()) < 40  # the child lives longer


@EACH_EXECUTOR
@pytest.mark.parametrize(
    ("fail", "reason"), [("quit", "SystemExit: please mend your config"), ("pair", "returned 2 values for 1")]
)
def test_a_task_that_does_not_return_its_value_fails_once_with_its_reason(sweep, fail, reason):
    code, output = sweep(f"fail=never,{fail}", "hydra/sweeper/sampler=grid", "hydra.sweeper.max_failure_rate=0.5")
    assert code == 0, output
    failed = [event for event in events() if isinstance(event, TrialEnded) and event.state != "FINISHED"]
    assert [event.state for event in failed] == ["FAILED"]
    assert reason in failed[0].reason


def test_each_option_of_a_searched_group_brings_its_own_space(sweep):
    code, output = sweep("+hill=steep,wide", "hydra/sweeper/sampler=random", "hydra/sweeper/pruner=none")
    assert code == 0, output
    widths = {"steep": {1, 2}, "wide": {30, 40, 50}}
    assert {trial.params["+hill"] for trial in trials()} == set(widths)
    for trial in trials():
        assert trial.params["hill.width"] in widths[trial.params["+hill"]]


def test_wanted_trials_come_first_and_the_sampler_fills_in_the_rest(sweep):
    wanted = "hydra.sweeper.enqueue=[{x: 0.25}, {+hill: wide, hill.width: 40}]"
    code, output = sweep(X, "+hill=steep,wide", wanted, ONE_SLOT, "hydra.sweeper.n_trials=4")
    assert code == 0, output
    first, second, *_ = trials()
    assert first.params["x"] == 0.25
    assert (second.params["+hill"], second.params["hill.width"]) == ("wide", 40)
    assert len(trials()) == 4


def test_the_trials_of_an_earlier_sweep_come_first_the_best_before_the_others(sweep):
    earlier = ["hydra.sweep.dir=earlier", "kind=round,flat", "hydra/sweeper/sampler=random", "hydra.sweeper.n_trials=4"]
    assert sweep("x=interval(-2, 2)", *earlier, "hydra/sweeper/pruner=none")[0] == 0
    code, output = sweep("x=interval(-2, 2)", "hydra.sweeper.enqueue=earlier", ONE_SLOT, "hydra/sweeper/pruner=none")
    assert code == 0, output
    ranked = record.read(Path("earlier")).ranked()
    assert [trial.params for trial in trials()[:4]] == [{"x": trial.params["x"]} for trial in ranked]
    assert len(trials()) == 8


def test_a_folder_can_be_named_by_what_a_trial_draws(sweep):
    code, output = sweep("x=1,2", "hydra/sweeper/sampler=grid", "hydra.sweep.subdir='x_${x}'")
    assert code == 0, output
    assert {trial.folder.name: trial.params["x"] for trial in trials()} == {"x_1": 1, "x_2": 2}
    assert all((trial.folder / "app.log").exists() for trial in trials())


@EACH_EXECUTOR
def test_a_sweep_that_breaks_still_ends_with_its_results_written(sweep):
    code, output = sweep(X, "hydra.sweep.subdir='${nowhere}'")
    assert code == 1
    assert "nowhere" in output
    assert record.read(Path("sweep")).ended.state == "FAILED"


def test_an_old_study_is_not_searched_in_another_direction(sweep):
    storage = ["hydra.sweeper.storage='sqlite:///study.db'", "hydra.sweeper.study_name=hills"]
    assert sweep(X, *storage)[0] == 0
    code, output = sweep(X, *storage, "hydra.sweep.dir=again", "hydra.sweeper.direction=minimize")
    assert code == 2
    assert "begun with direction maximize" in output


@pytest.mark.parametrize("setting", ["memory_limit=-1", "threads=0", "recycle_after=0", "memory_limit=much"])
def test_an_executor_refuses_what_it_cannot_be(sweep, setting):
    code, output = sweep(X, f"hydra.sweeper.executor.{setting}")
    assert code == 2
    assert f"hydra.sweeper.executor.{setting}: give a number above 0" in output

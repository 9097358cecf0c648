"""Sweeps that are killed, stopped or starved of disk, and resumed: nothing is lost, nothing is done twice."""

import random
import signal
import subprocess
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from sweeper.records import journal, record
from sweeper.records.events import TrialEnded, TrialStarted

from ..watched import (
    EACH_EXECUTOR,
    GATED,
    PATIENCE,
    X,
    events,
    let_through,
    lives,
    mlflow_client,
    slots,
    study,
    trials,
    until,
)

RESUME = "hydra.sweeper.resume=sweep"
LIGHT = (X, "hydra/sweeper/pruner=none")

SAIL = (  # a map of what the task reports, filled from the third trial on
    "hydra/sweeper/sampler=sail",
    "hydra.sweeper.sampler.axes=[height]",
    "+hydra.sweeper.sampler.descriptors.height={low: -1, high: 1, bins: 4}",
    "hydra.sweeper.sampler.n_startup_trials=2",
)


def has_ended(count):
    return lambda: sum(isinstance(event, TrialEnded) for event in events()) >= count


def mlflow_runs():
    """Parent runs and child runs of the store beside the sweep."""
    client = mlflow_client()
    found = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    children = [run for run in found if "mlflow.parentRunId" in run.data.tags]
    return [run for run in found if run not in children], children


def assert_is_whole(n_trials):
    """Journal, study, folders and MLflow agree on exactly n_trials finished trials, each with one run an attempt."""
    told = trials()
    assert [trial.number for trial in told] == list(range(n_trials))
    assert {trial.state for trial in told} == {"FINISHED"}
    asked = study().trials
    assert [trial.number for trial in asked] == list(range(n_trials))
    assert {trial.state.name for trial in asked} == {"COMPLETE"}
    assert [trial.value for trial in asked] == [trial.values[0] for trial in told]
    assert [trial.params for trial in asked] == [trial.params for trial in told]
    assert len({trial.folder for trial in told}) == n_trials
    starts = [event for event in events() if isinstance(event, TrialStarted)]
    attempts = Counter((event.trial, event.attempt) for event in starts)
    assert set(attempts.values()) == {1}
    parents, children = mlflow_runs()
    assert [parent.info.status for parent in parents] == ["FINISHED"]
    mirrored = Counter((int(run.data.tags["sweeper.trial"]), int(run.data.tags["sweeper.attempt"])) for run in children)
    assert mirrored == attempts
    assert Counter(run.info.status for run in children)["FINISHED"] == n_trials
    assert not [run for run in children if run.info.status == "RUNNING"]


@EACH_EXECUTOR
@pytest.mark.parametrize("drawing", [(), SAIL], ids=["tpe", "sail"])
def test_a_killed_sweep_goes_on_with_what_it_had_begun(start, sweep, drawing):
    arguments = (*LIGHT, *drawing, GATED, "hydra.sweeper.n_trials=6")
    let_through(0, 1, 2)
    process = start(*arguments)
    until(has_ended(2))
    process.kill()
    process.wait()
    let_through(3, 4, 5)
    begun = {trial.number: trial for trial in record.read(Path("sweep")).trials}
    code, output = sweep(*arguments, RESUME)
    assert code == 0, output
    assert_is_whole(6)
    for trial in trials():
        if trial.number in begun:
            lost = begun[trial.number].state != "FINISHED"
            assert trial.attempt == lost
            assert trial.params == begun[trial.number].params


@EACH_EXECUTOR
def test_a_stopped_sweep_goes_on_and_may_grow(start, sweep):
    let_through(0, 1)
    process = start(*LIGHT, GATED, "hydra.sweeper.n_trials=4")
    until(has_ended(1))
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "hydra.sweeper.resume=" in out
    let_through(*range(2, 7))
    code, output = sweep(*LIGHT, GATED, "hydra.sweeper.n_trials=7", RESUME)
    assert code == 0, output
    assert_is_whole(7)


@EACH_EXECUTOR
def test_torn_last_lines_and_a_stale_lock_cost_nothing_that_was_told(start, sweep):
    arguments = (*LIGHT, GATED, "hydra.sweeper.n_trials=5")
    let_through(0, 1, 2)
    process = start(*arguments)
    until(has_ended(2))
    process.kill()
    process.wait()
    let_through(3, 4)
    finished = [trial for trial in record.read(Path("sweep")).trials if trial.state == "FINISHED"]
    for name in (journal.NAME, "study.journal", record.RUNS):
        with open(Path("sweep", name), "a") as file:
            file.write('{"event":"TrialEn')
    Path("sweep/study.journal.lock").unlink(missing_ok=True)  # it may be there already
    Path("sweep/study.journal.lock").symlink_to("study.journal")
    code, output = sweep(*arguments, RESUME)
    assert code == 0, output
    assert_is_whole(5)
    assert [trials()[trial.number].values for trial in finished] == [trial.values for trial in finished]


@EACH_EXECUTOR
def test_a_resumed_sweep_draws_other_values_than_it_began_with(sweep):
    random_draws = (*LIGHT, "hydra/sweeper/sampler=random")
    assert sweep(*random_draws, "hydra.sweeper.n_trials=3")[0] == 0
    code, output = sweep(*random_draws, "hydra.sweeper.n_trials=6", RESUME)
    assert code == 0, output
    assert len({trial.params["x"] for trial in trials()}) == 6


@pytest.mark.slow
def test_latest_is_the_sweep_that_began_last(sweep):
    for name in ("first", "second"):
        assert sweep(*LIGHT, "hydra.sweeper.n_trials=2", f"hydra.sweep.dir=multirun/{name}")[0] == 0
    code, output = sweep(*LIGHT, "hydra.sweeper.n_trials=3", "hydra.sweeper.resume=latest")
    assert code == 0, output
    assert [len(record.read(Path("multirun", name)).trials) for name in ("first", "second")] == [2, 3]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("epochs=4",), "the command line has changed, from nothing to epochs=4"),
        (("hydra.sweeper.direction=minimize",), "the direction has changed, from maximize to minimize"),
        ((), "it has all its 2 trials. Give more: hydra.sweeper.n_trials=4"),
        (("hydra.sweeper.resume=yesterday",), "No sweep"),
    ],
)
def test_what_cannot_be_resumed_is_refused_and_left_as_it_is(sweep, arguments, complaint):
    assert sweep(*LIGHT, "hydra.sweeper.n_trials=2")[0] == 0
    before = Path("sweep", journal.NAME).read_text()
    code, output = sweep(*LIGHT, "hydra.sweeper.n_trials=2", RESUME, *arguments)
    assert code == 2, output
    assert complaint in output
    assert "Traceback" not in output
    assert Path("sweep", journal.NAME).read_text() == before


def test_a_sweep_whose_study_was_deleted_gives_no_number_twice(sweep):
    assert sweep(*LIGHT, "hydra.sweeper.n_trials=2")[0] == 0
    Path("sweep/study.journal").unlink()
    code, output = sweep(*LIGHT, "hydra.sweeper.n_trials=4", RESUME)
    assert code == 2, output
    assert "lacks 2 trials of the journal" in output
    assert "Traceback" not in output


def test_a_sweep_that_runs_is_not_resumed_beside_it(start, sweep):
    process = start(*LIGHT, GATED)
    until(lambda: any(isinstance(event, TrialStarted) for event in events()))
    code, output = sweep(*LIGHT, GATED, RESUME)
    assert code == 2
    assert "in use by another sweep" in output
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)


def killed(process, after, rng):
    """Kills a sweep `after` seconds, now and then a slot before it; whether it was still there."""
    deadline = time.monotonic() + after
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    if process.poll() is not None:
        return False
    left = slots(process)
    if left and rng.random() < 0.3:  # its trial is being tried again when the coordinator goes
        rng.choice(left).kill()
        time.sleep(rng.uniform(0, 0.3))
    process.kill()
    process.wait()
    until(lambda: not any(lives(slot) for slot in left))
    return True


MANY = "hydra.sweeper.n_trials=5000"  # more than can end before the last kill


@pytest.mark.slow
@pytest.mark.parametrize(("executor", "kills"), [("local", 50), ("ray", 5)], indirect=["executor"])
def test_kills_at_random_moments_lose_nothing_and_double_nothing(start, executor, kills):
    rng = random.Random(0)
    arguments = (*LIGHT, "pause=0.2", "epochs=4")
    began, process = time.monotonic(), start(*arguments, MANY)
    until(has_ended(1))
    usual = time.monotonic() - began
    assert killed(process, 0, rng), process.communicate()
    for _ in range(kills - 1):
        process = start(*arguments, MANY, *([RESUME] if events() else []))
        if executor == "ray":  # whose slots take their time
            until(partial(slots, process))
        assert killed(process, rng.uniform(0, 2 * usual), rng), process.communicate()
    assert len(study().trials) > kills / 10  # most are killed before they have any
    total = len(study().trials) + 5
    process = start(*arguments, f"hydra.sweeper.n_trials={total}", RESUME)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err
    assert_is_whole(total)


@pytest.mark.slow
def test_three_kills_of_real_trainings_cost_no_epoch_twice(start):
    rng = random.Random(1)
    real = {"program": ("-m", "sweeper")}
    arguments = ("hparams=search", "hydra.sweep.dir=sweep", "hydra/sweeper/pruner=none", "tracking.experiment=kills")
    arguments += ("trainer.epochs=8", "trainer.checkpoint=0")
    for ended in range(3):
        process = start(*arguments, MANY, *([RESUME] if events() else []), **real)
        until(lambda ended=ended, process=process: has_ended(ended)() or process.poll() is not None, 300)
        assert killed(process, rng.uniform(5, 15), rng), process.communicate()
    total = len(study().trials) + 1
    process = start(*arguments, f"hydra.sweeper.n_trials={total}", RESUME, **real)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, out + err
    assert_is_whole(total)
    for trial in trials():
        assert [epoch for epoch, _, _ in trial.curve] == list(range(1, 9))
        assert not (trial.folder / "checkpoint.npz").exists()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 400 kB; a function that changes its size, or how it is mounted."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(*options):
        return subprocess.run(["mount", *options, str(place)], capture_output=True).returncode == 0

    if not mount("-t", "tmpfs", "-o", "size=400k", "tmpfs"):
        pytest.skip("only root can mount a file system")
    yield place, lambda option: mount("-o", f"remount,{option}")
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@EACH_EXECUTOR
def test_a_full_disk_loses_nothing_that_was_told_and_the_sweep_goes_on_with_more(sweep, small_disk):
    place, remount = small_disk
    arguments = (*LIGHT, "hydra.sweeper.n_trials=40", f"hydra.sweep.dir={place}/sweep")
    code, output = sweep(*arguments)
    assert code == 1, output
    assert "No space left on device" in output
    assert "Traceback" not in output
    assert f"hydra.sweeper.resume={place}/sweep" in output
    told = {trial.number: trial.values for trial in record.read(place / "sweep").finished}
    assert 0 < len(told) < 40
    assert remount("size=50m")
    code, output = sweep(*arguments, f"hydra.sweeper.resume={place}/sweep")
    assert code == 0, output
    after = {trial.number: trial.values for trial in record.read(place / "sweep").finished}
    assert len(after) == 40
    assert {number: after[number] for number in told} == told


def test_a_read_only_folder_is_told_in_one_sentence(sweep, small_disk):
    place, remount = small_disk
    assert remount("ro")
    code, output = sweep(*LIGHT, f"hydra.sweep.dir={place}/sweep")
    assert code == 2
    assert f"{place}/sweep: Read-only file system" in output
    assert "Traceback" not in output

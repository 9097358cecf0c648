"""Whole sweeps whose trials are jobs of submitit's local queue: real processes, as on Slurm, and as many failures."""

import json
import math
import signal
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
import pytest

from sweeper.records.events import EpochReported, TrialEnded, TrialStarted

from ..watched import ONE_SLOT, PATIENCE, X, events, lives, study, trials, until

pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="pip install 'sweeper[slurm]'")

QUEUE = "hydra/launcher=submitit_local"
GRID = ("hydra/sweeper/sampler=grid", "hydra/sweeper/pruner=none", "hydra.sweeper.max_failure_rate=1")
PLAIN = (X, QUEUE, "hydra/sweeper/pruner=none")
ON_AND_ON = ("pause=0.2", "epochs=1000", "enough=enough")  # until that file is there
RESUME = "hydra.sweeper.resume=sweep"


def below(process, words):
    """Those of its descendants that have these words in their command, and live."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            if words in " ".join(child.cmdline()) and lives(child):
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def controllers(process):
    """One a job: what submitit starts, and what its ID is the number of."""
    return below(process, "submitit.local._local")


def supervisors(process):
    """One a job: what Slurm's signals are for."""
    return [child for one in controllers(process) for child in one.children() if lives(child)]


def training(process):
    """One a job: the slot."""
    return [child for one in supervisors(process) for child in one.children() if lives(child)]


def reports():
    return [event for event in events() if isinstance(event, EpochReported)]


def reported(count=1):
    return lambda: len(reports()) >= count


def assert_is_tidy():
    assert not list(Path("sweep/slots").glob("jobs-*"))


def test_a_sweep_runs_as_jobs_one_a_trial(sweep):
    code, output = sweep(*PLAIN, "hydra.sweeper.n_trials=4")
    assert code == 0, output
    assert "4 trials on 2 slots" in output
    assert [trial.state for trial in trials()] == ["FINISHED"] * 4
    assert [len(trial.curve) for trial in trials()] == [3] * 4
    assert [trial.value for trial in study().trials] == [trial.values[0] for trial in trials()]
    assert len(list(Path("sweep/.submitit").glob("*_submitted.pkl"))) == 4
    printed = "".join(file.read_text() for file in Path("sweep/slots").glob("slot-*.log"))
    assert all(f"x={trial.params['x']}" in printed for trial in trials())
    assert_is_tidy()


def test_a_trial_that_falls_behind_is_stopped_in_the_middle(sweep):
    better, worse = "hydra.sweeper.enqueue=[{x: 0.0}, {x: 0.9}]", "hydra.sweeper.pruner.n_startup_trials=1"
    code, output = sweep(X, QUEUE, better, worse, ONE_SLOT, "hydra.sweeper.n_trials=2", "epochs=5")
    assert code == 0, output
    best, behind = trials()
    assert (best.state, behind.state) == ("FINISHED", "PRUNED")
    assert len(behind.curve) < 5


def test_each_failure_has_its_state_as_in_a_slot_of_this_machine(sweep):
    fails = ("never", "'nan'", "memory", "always", "exit")
    code, output = sweep(f"fail={','.join(fails)}", QUEUE, *GRID, "hydra.sweeper.max_retries=1")
    assert code == 0, output
    ended = {trial.params["fail"]: trial for trial in trials()}
    states = {fail: trial.state for fail, trial in ended.items()}
    wanted = {"never": "FINISHED", "nan": "DIVERGED", "memory": "OUT_OF_MEMORY", "always": "FAILED", "exit": "KILLED"}
    assert states == wanted
    assert "ValueError: no hill here" in ended["always"].reason
    assert "its process was lost 2 times (exit code 7" in ended["exit"].reason
    assert ended["exit"].attempt == 1
    assert study().trials[ended["memory"].number].value == -math.inf


def test_a_trial_hangs_by_its_own_time_not_by_that_of_the_queue(sweep):
    waits = "+hydra.launcher.setup=['sleep 7']"
    code, output = sweep("fail=never,hang", QUEUE, *GRID, waits, "hydra.sweeper.trial_timeout=6")
    assert code == 0, output
    assert sorted(trial.state for trial in trials()) == ["FINISHED", "HUNG"]
    assert_is_tidy()


@pytest.mark.parametrize("lost", [training, controllers])
def test_a_killed_job_costs_one_retry_and_no_trial(start, lost):
    process = start(*PLAIN, ONE_SLOT, "hydra.sweeper.n_trials=1", "gate=go")
    until(lambda: training(process))
    until(lambda: Path("sweep/0/.hydra").exists())
    for killed in lost(process):
        for part in (*killed.children(recursive=True), killed):
            part.kill()
    until(lambda: any(isinstance(event, TrialEnded) for event in events()))
    Path("go").touch()
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err
    (trial,) = trials()
    assert (trial.state, trial.attempt) == ("FINISHED", 1)


def test_ctrl_c_leaves_no_job(start):
    process = start(*PLAIN, "hydra.sweeper.n_trials=4", "gate=never")
    until(lambda: len(training(process)) == 2)
    jobs = [*controllers(process), *supervisors(process), *training(process)]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, out + err
    until(lambda: not any(map(lives, jobs)))
    assert {trial.state for trial in trials()} == {"INTERRUPTED"}
    assert_is_tidy()


def test_a_preempted_job_goes_on_as_the_same_trial_and_no_epoch_counts_twice(start):
    process = start(*PLAIN, ONE_SLOT, "hydra.sweeper.n_trials=1", *ON_AND_ON)
    until(reported(2))
    before = supervisors(process)
    before[0].send_signal(signal.SIGUSR2)  # what submitit has Slurm send
    until(lambda: set(supervisors(process)) - set(before))
    told = len(reports())
    until(reported(told + 2))
    Path("enough").touch()
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err
    (trial,) = trials()
    assert (trial.state, trial.attempt) == ("FINISHED", 0)
    assert [event.epoch for event in reports()] == list(range(1, len(reports()) + 1))


def test_a_job_whose_time_is_up_is_a_trial_that_hung(start):
    process = start(*PLAIN, ONE_SLOT, *GRID[2:], "hydra.sweeper.n_trials=1", "hydra.launcher.timeout_min=1", "gate=go")
    until(lambda: training(process))
    until(lambda: Path("sweep/0/.hydra").exists())
    supervisors(process)[0].send_signal(signal.SIGUSR2)  # as submitit does before the limit
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err
    (trial,) = trials()
    assert (trial.state, trial.attempt) == ("HUNG", 0)
    assert "hydra.launcher.timeout_min" in trial.reason


def test_a_killed_sweep_goes_on_and_its_jobs_are_gone_before_others_begin(start, sweep):
    process = start(*PLAIN, "hydra.sweeper.n_trials=4", "gate=go")
    until(lambda: len(training(process)) == 2)
    jobs = [*controllers(process), *supervisors(process), *training(process)]
    process.kill()
    process.wait()
    assert all(map(lives, jobs))  # or this shows nothing
    Path("go").touch()
    code, output = sweep(*PLAIN, "hydra.sweeper.n_trials=4", "gate=go", RESUME)
    assert code == 0, output
    assert not any(map(lives, jobs))
    assert {trial.state for trial in trials()} == {"FINISHED"}
    attempts = Counter((event.trial, event.attempt) for event in events() if isinstance(event, TrialStarted))
    assert set(attempts.values()) == {1}
    assert_is_tidy()


@pytest.mark.slow
def test_jobs_of_a_killed_sweep_end_by_themselves(start):
    process = start(*PLAIN, "hydra.sweeper.n_trials=4", "gate=never")
    until(lambda: len(training(process)) == 2)
    jobs = [*controllers(process), *supervisors(process), *training(process)]
    process.kill()
    process.wait()
    until(lambda: not any(map(lives, jobs)))


@pytest.mark.slow
def test_a_preempted_training_goes_on_from_its_checkpoint(start):
    real = ("hparams=search", QUEUE, "hydra.sweep.dir=sweep", "hydra/sweeper/pruner=none", "tracking.experiment=queue")
    few = ("hydra.sweeper.n_trials=1", "hydra.sweeper.test=false", "trainer.epochs=40", "trainer.checkpoint=0")
    process = start(*real, *few, "dataset.train_size=500", program=("-m", "sweeper"))
    until(reported(3))
    training(process)[0].suspend()
    mark(Path("sweep/0/checkpoint.npz"), "val_accuracy", 2.0)
    supervisors(process)[0].send_signal(signal.SIGUSR2)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err
    (trial,) = trials()
    assert (trial.values, trial.facts["best_epoch"]) == ((2.0,), 1)  # only the checkpoint knows of that
    assert [epoch for epoch, _, _ in trial.curve] == list(range(1, 41))


def mark(file, metric, value):
    """Gives the first epoch a value that none can have."""
    with np.load(file) as saved:
        arrays = dict(saved)
    curve = json.loads(str(arrays["curve"]))
    curve[0][metric] = value
    np.savez(file, **arrays | {"curve": json.dumps(curve)})

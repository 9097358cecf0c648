"""A real Slurm, on loopback: what its queue, its signals and its time limits do to a sweep."""

import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from sweeper.records.events import EpochReported

from ...slurm import start as cluster
from ..watched import ONE_SLOT, PATIENCE, X, events, trials, until

pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="pip install 'sweeper[slurm]'")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(cluster.missing()),
        reason=f"there is no {', '.join(cluster.missing())}: apt-get install slurmctld slurmd slurm-client munge",
    ),
]

LIGHT = (X, "hydra/launcher=submitit_slurm", "hydra/sweeper/pruner=none")


@pytest.fixture(scope="module", autouse=True)
def slurm():
    with tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as folder, cluster.slurm(Path(folder)) as found:
        before = dict(os.environ)
        os.environ.update(found)
        yield
        for key in found:
            os.environ.pop(key)
        os.environ.update(before)


def queue():
    """States of the user's jobs that have not ended, by ID."""
    asked = subprocess.run(["squeue", "-h", "-o", "%i|%T"], capture_output=True, text=True, check=True)
    return dict(re.findall(r"(\d+)\|(\w+)", asked.stdout))


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


def reported(count):
    until(lambda: sum(isinstance(event, EpochReported) for event in events()) >= count)


def goes_on_at_once(job):
    """Slurm begins a requeued job after two minutes only."""
    until(lambda: queue().get(job) == "PENDING")
    run("scontrol", "update", f"JobId={job}", "StartTime=now")


def assert_one_whole_trial(process, attempt=0):
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err
    (trial,) = trials()
    assert (trial.state, trial.attempt) == ("FINISHED", attempt)
    assert [epoch for epoch, _, _ in trial.curve] == list(range(1, len(trial.curve) + 1))


def test_each_trial_is_a_job_by_its_name(sweep):
    code, output = sweep(*LIGHT, "hydra.sweeper.n_trials=3", "hydra.launcher.name=hill")
    assert code == 0, output
    assert [trial.state for trial in trials()] == ["FINISHED"] * 3
    asked = subprocess.run(["squeue", "-h", "-t", "all", "-o", "%j"], capture_output=True, text=True, check=True)
    assert {"hill-0", "hill-1", "hill-2"} <= set(asked.stdout.split())


def test_a_partition_that_is_none_ends_the_sweep_in_slurms_words(sweep):
    code, output = sweep(*LIGHT, "hydra.launcher.partition=nowhere")
    assert code != 0
    assert "invalid partition specified: nowhere" in output
    assert "Traceback" not in output
    assert not queue()


@pytest.mark.parametrize("how", ["scontrol requeue", "SIGUSR2", "preempted"])
def test_a_requeued_job_goes_on_as_the_same_trial(start, how):
    process = start(*LIGHT, ONE_SLOT, "hydra.sweeper.n_trials=1", "epochs=5", "gate=go")
    until(lambda: Path("sweep/0/.hydra").exists())
    Path("go").touch()
    reported(1)
    Path("go").unlink()
    (job,) = queue()
    if how == "scontrol requeue":
        run("scontrol", "requeue", job)
    elif how == "SIGUSR2":  # as Slurm sends it by submitit's --signal
        run("scancel", "--signal=USR2", job)
    else:
        run("sbatch", "--partition=urgent", "--cpus-per-task=4", "--output=/dev/null", "--wrap=sleep 1")
    goes_on_at_once(job)
    Path("go").touch()
    assert_one_whole_trial(process)


def test_a_cancelled_job_is_handed_over_again(start):
    process = start(*LIGHT, ONE_SLOT, "hydra.sweeper.n_trials=1", "gate=go")
    until(lambda: Path("sweep/0/.hydra").exists())
    (job,) = queue()
    run("scancel", job)
    until(lambda: job not in queue())  # first it gets a SIGTERM, as before a preemption, and trains on meanwhile
    Path("go").touch()
    assert_one_whole_trial(process, attempt=1)


def test_a_job_beyond_its_time_limit_is_a_trial_that_hung(start):
    limits = ("hydra.launcher.timeout_min=1", "hydra.launcher.signal_delay_s=30", "hydra.sweeper.max_failure_rate=1")
    process = start(*LIGHT, ONE_SLOT, *limits, "hydra.sweeper.n_trials=1", "gate=never")
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err
    (trial,) = trials()
    assert (trial.state, trial.attempt) == ("HUNG", 0)
    assert "hydra.launcher.timeout_min" in trial.reason


def test_ctrl_c_leaves_no_job_neither_running_nor_waiting(start):
    process = start(*LIGHT, "hydra.sweeper.n_trials=9", "hydra.sweeper.n_jobs=6", "gate=never")
    until(lambda: sorted(queue().values()) == ["PENDING"] * 2 + ["RUNNING"] * 4)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    until(lambda: not queue())


def test_a_killed_sweep_goes_on_when_its_jobs_are_gone(start, sweep):
    few = ("hydra.sweeper.n_trials=3", "gate=go")
    process = start(*LIGHT, *few)
    until(lambda: Path("sweep/0/.hydra").exists() and Path("sweep/1/.hydra").exists())
    process.kill()
    process.wait()
    before = set(queue())
    assert len(before) == 2
    Path("go").touch()
    code, output = sweep(*LIGHT, *few, "hydra.sweeper.resume=sweep")
    assert code == 0, output
    assert [trial.state for trial in trials()] == ["FINISHED"] * 3
    assert not before & set(queue())

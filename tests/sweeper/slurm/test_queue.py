"""What Slurm's programs print, and what that means to a trial."""

import pytest

from sweeper.errors import ConfigError
from sweeper.slurm import queue
from sweeper.slurm.queue import Slurm

SQUEUE = "17|RUNNING\n18|PENDING\n19|TIMEOUT\n20|CANCELLED\n21_[1-3]|PENDING\n22|PREEMPTED\n"
SACCT = "23|OUT_OF_MEMORY\n24|CANCELLED by 1000\n"


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A queue whose programs are scripts that print the above."""
    for program, prints in (("sbatch", ""), ("srun", ""), ("scancel", ""), ("squeue", SQUEUE), ("sacct", SACCT)):
        script = tmp_path / program
        script.write_text(f"#!/bin/sh\ncat <<'END'\n{prints}END\n")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    pytest.importorskip("submitit", reason="pip install 'sweeper[slurm]'")
    return Slurm({"submitit_folder": str(tmp_path / "%j"), "name": "sweep", "timeout_min": 5})


@pytest.mark.parametrize(
    ("job", "phase", "state", "by_us", "reason"),
    [
        ("17", "RUNS", "KILLED", False, ""),
        ("18", "WAITS", "KILLED", False, ""),
        ("19", "ENDED", "HUNG", False, "time limit, hydra.launcher.timeout_min"),
        ("20", "ENDED", "KILLED", False, "as CANCELLED"),
        ("22", "ENDED", "KILLED", True, "preempted"),
        ("23", "ENDED", "OUT_OF_MEMORY", False, "hydra.launcher.mem_gb"),
        ("24", "ENDED", "KILLED", False, "as CANCELLED"),
        ("25", "ENDED", "KILLED", False, "not in the queue any more"),
    ],
)
def test_how_a_job_stands(slurm, job, phase, state, by_us, reason):
    standing = slurm.standings([job, "17"])[job]
    assert (standing.phase, standing.state, standing.by_us) == (phase, state, by_us)
    assert phase != "ENDED" or reason in standing.reason


def test_of_a_queue_that_does_not_answer_nothing_is_concluded(slurm, tmp_path):
    (tmp_path / "squeue").write_text("#!/bin/sh\necho 'Unable to contact slurm controller' >&2; exit 1\n")
    assert slurm.standings(["17"]) is None


def test_a_machine_without_slurm_is_told_of(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="there is no sbatch here"):
        Slurm({})


def test_a_key_that_submitit_does_not_have_is_told_of(slurm, tmp_path):
    with pytest.raises(ConfigError, match=r"hydra\.launcher: submitit refused its settings.*colour"):
        Slurm({"submitit_folder": str(tmp_path / "%j"), "colour": "red"})


def test_a_step_gets_all_cores_of_its_job(slurm, tmp_path):
    """From 22.05 on srun does not take them over from sbatch."""
    keys = {"submitit_folder": str(tmp_path / "%j"), "cpus_per_task": 4, "setup": ["module load cuda"]}
    script = Slurm(keys)._submitit._executor._make_submission_file_text("true", "x")
    assert script.index("export SRUN_CPUS_PER_TASK=4") < script.index("module load cuda") < script.index("srun ")


def test_the_folder_of_a_jobs_output_is_there_before_the_job(slurm, tmp_path):
    """A free machine opens it before submitit has made one of the job's number."""
    script = slurm._submitit._executor._make_submission_file_text("true", "x")
    assert f"--output={tmp_path}/%j_0_log.out" in script


def test_every_state_of_slurm_is_one_phase():
    assert not set(queue._WAITS) & set(queue._RUNS) | set(queue._ENDED) & {*queue._WAITS, *queue._RUNS}

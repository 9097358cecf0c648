"""Queues that jobs are handed over to by submitit: Slurm's, and one of this machine that starts each at once."""

from __future__ import annotations

import getpass
import re
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, Protocol

import psutil

from sweeper.engine import process
from sweeper.errors import ConfigError, SweeperError
from sweeper.machine import inherited
from sweeper.records.states import State

if TYPE_CHECKING:
    from submitit import AutoExecutor

_SHARED = (  # keys that submitit has for all queues; those of one have its name in front
    "name",
    "timeout_min",
    "mem_gb",
    "nodes",
    "cpus_per_task",
    "gpus_per_node",
    "tasks_per_node",
    "stderr_to_stdout",
)
_ALONE = {"OPENBLAS_NUM_THREADS": "1"}  # NumPy's BLAS would start threads in a job's process, which then forks
_BURIAL = 5  # seconds that a killed process may take to end
_PATIENCE = 60  # seconds for an answer of Slurm's programs
_WAITS = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD")
_RUNS = ("RUNNING", "COMPLETING", "STAGE_OUT", "SIGNALING", "SUSPENDED", "STOPPED", "RESIZING")
TIME_IS_UP = "its job reached its time limit, hydra.launcher.timeout_min"


class Refused(SweeperError):
    """The queue did not take a job."""


@dataclass(frozen=True)
class Standing:
    """Of a job in a queue."""

    phase: Literal["WAITS", "RUNS", "ENDED"]
    reason: str = "its job is not in the queue any more"  # why it ended, for the user; here and below
    state: State = "KILLED"  # what its trial counts as
    by_us: bool = False  # no fault of the trial: the machine was lost, or needed for others


_LOST = Standing("ENDED")
_ENDED = {
    "OUT_OF_MEMORY": Standing("ENDED", "its job took more memory than hydra.launcher.mem_gb", "OUT_OF_MEMORY"),
    "TIMEOUT": Standing("ENDED", TIME_IS_UP, "HUNG"),
    "DEADLINE": Standing("ENDED", "Slurm's deadline for its job was reached", "HUNG"),
    "PREEMPTED": Standing("ENDED", "its job was preempted", by_us=True),
    "NODE_FAIL": Standing("ENDED", "the machine of its job was lost", by_us=True),
    "BOOT_FAIL": Standing("ENDED", "the machine of its job did not start", by_us=True),
}


class Queue(Protocol):
    look: float  # seconds between two questions that it is to bear

    def submit(self, name: str, function: Callable[[], None]) -> str:
        """The job's ID. Raises: Refused."""

    def standings(self, jobs: Collection[str]) -> Mapping[str, Standing] | None:
        """Of each of these jobs, by ID. None while the queue does not answer."""

    def cancel(self, jobs: Collection[str]) -> None:
        """Ends these jobs, running or not, soon. One that has ended is none."""


class Slurm:
    look = 10.0

    def __init__(self, keys: Mapping[str, Any]):
        """keys: of `hydra.launcher`. Raises: ConfigError if there is no Slurm here, or submitit refuses them."""
        for program in ("sbatch", "srun", "squeue", "scancel"):
            if shutil.which(program) is None:
                raise ConfigError(
                    f"hydra/launcher=submitit_slurm: there is no {program} here. Type the command on a machine of the "
                    "cluster that jobs are submitted from. hydra/launcher=submitit_local tries the same without Slurm."
                )
        cores = keys.get("cpus_per_task")  # from Slurm 22.05 on, a step does not take them over by itself
        setup = [*([f"export SRUN_CPUS_PER_TASK={cores}"] if cores else []), *(keys.get("setup") or [])]
        self._submitit = _submitit("slurm", {**keys, "setup": setup or None})

    def submit(self, name: str, function: Callable[[], None]) -> str:
        return _submitted(self._submitit, name, function).job_id

    def standings(self, jobs: Collection[str]) -> Mapping[str, Standing] | None:
        """By the queue itself; of what it has forgotten, by the accounts, where a cluster keeps some."""
        listed = _told("squeue", "--noheader", f"--user={getpass.getuser()}", "--states=all", "--format=%i|%T")
        if listed is None:
            return None
        states = _states(listed)
        forgotten = [job for job in jobs if job not in states]
        if forgotten and shutil.which("sacct"):
            listed = _told("sacct", "-n", "-X", "-P", f"--jobs={','.join(forgotten)}", "--format=JobID,State")
            states |= _states(listed or "")
        return {job: _standing(states.get(job)) for job in jobs}

    def cancel(self, jobs: Collection[str]) -> None:
        if jobs:
            _told("scancel", *jobs)


class ThisMachine:
    """Starts each job at once, with nobody who would share out the machine: for trying things out."""

    look = 0.5

    def __init__(self, keys: Mapping[str, Any]):
        """keys: of `hydra.launcher`. Raises: ConfigError if submitit refuses them."""
        with TemporaryDirectory() as scratch:  # it makes its folder at once, and the sweep has not begun
            _submitit("local", {**keys, "submitit_folder": scratch})
        self._keys = keys
        self._jobs: dict[str, Any] = {}  # submitit's, by ID: the number of a process

    @cached_property
    def _submitit(self) -> AutoExecutor:
        return _submitit("local", self._keys)

    def submit(self, name: str, function: Callable[[], None]) -> str:
        self._jobs = {job: known for job, known in self._jobs.items() if known.state == "RUNNING"}
        with inherited.deafness_to_signals():
            begun = _submitted(self._submitit, name, function)
        self._jobs[begun.job_id] = begun
        return begun.job_id

    def standings(self, jobs: Collection[str]) -> Mapping[str, Standing]:
        return {job: Standing("RUNS") if self._runs(job) else _LOST for job in jobs}

    def cancel(self, jobs: Iterable[str]) -> None:
        for job in filter(self._runs, jobs):
            with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
                body = psutil.Process(int(job))
                process.kill(body)
                body.wait(_BURIAL)

    def _runs(self, job: str) -> bool:
        """Also of a sweep that was killed, whose number may be another process's by now."""
        if job in self._jobs:
            return self._jobs[job].state == "RUNNING"
        with suppress(psutil.NoSuchProcess):
            line = " ".join(psutil.Process(int(job)).cmdline())
            return "submitit.local._local" in line and str(_folder(self._keys["submitit_folder"])) in line
        return False


def _submitit(cluster: str, keys: Mapping[str, Any]) -> AutoExecutor:
    """Raises: ConfigError if it refuses them."""
    from submitit import AutoExecutor

    keys = dict(keys)
    folder, timeouts = _folder(keys.pop("submitit_folder")), keys.pop("max_num_timeout", 0)
    try:
        made = AutoExecutor(folder, cluster=cluster, **{f"{cluster}_max_num_timeout": timeouts})
        made.update_parameters(
            **{key if key in _SHARED else f"{cluster}_{key}": value for key, value in keys.items() if value is not None}
        )
    except (AssertionError, NameError, TypeError, ValueError) as error:
        raise ConfigError(f"hydra.launcher: submitit refused its settings: {error}") from error
    return made


def _folder(given: str) -> Path:
    """The part above a folder for each job, `%j`: that one is made after a job was handed over, and a free machine may
    have opened its output there by then, and failed.
    """
    from submitit.core.utils import JobPaths

    return JobPaths.get_first_id_independent_folder(given)


def _submitted(submitit: AutoExecutor, name: str, function: Callable[[], None]) -> Any:
    """Submitit's job. Raises: Refused."""
    from submitit.core.utils import UncompletedJobError

    try:
        submitit.update_parameters(name=name)
        with inherited.environment(_ALONE):
            return submitit.submit(function)
    except (UncompletedJobError, RuntimeError, OSError) as error:
        raise Refused(f"hydra/launcher: the job {name} was not taken: {' '.join(str(error).split())}") from error


def _told(*command: str) -> str | None:
    """What it printed; None if it failed."""
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
        return done.stdout if done.returncode == 0 else None
    return None


def _states(listed: str) -> dict[str, str]:
    """By ID, of lines such as `17|RUNNING` and `18|CANCELLED by 1000`."""
    return dict(re.findall(r"^(\d+)\|([A-Z_]+)", listed, re.MULTILINE))


def _standing(state: str | None) -> Standing:
    """state: as Slurm calls it; None if it has no such job any more."""
    if state is None:
        return _LOST
    if state in _WAITS or state in _RUNS:
        return Standing("WAITS" if state in _WAITS else "RUNS")
    return _ENDED.get(state, Standing("ENDED", f"its job ended before it did, as {state}"))

"""Sweeps of the task of tests/light, which costs nothing: what they take is the platform's."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from sweeper.records import journal
from sweeper.records.events import EpochReported, TrialEnded, TrialStarted

APP = Path(__file__).resolve().parents[1] / "tests" / "light" / "app.py"
SPACE = ("x=interval(-1, 1)", "+lr=tag(log, interval(1e-5, 1e-1))", "+dropout=interval(0, 0.6)", "kind=round,flat")
TOP, EPOCHS = Path("multirun"), 10


@dataclass(frozen=True)
class Watched:
    start: float  # seconds from the command to its first trial
    seconds: float  # of the whole process
    memory: int  # bytes that the coordinator held at most


def sweep(name: str, trials: int, slots: int, *overrides: str) -> Watched:
    """In the folder multirun/`name` of the working folder, in MLflow beside it as every sweep.

    Raises: SystemExit if it failed.
    """
    keys = {"sweeper.n_trials": trials, "sweeper.n_jobs": slots, "sweep.dir": TOP / name}
    hydra = ["hydra/sweeper/sampler=tpe", *(f"hydra.{key}={value}" for key, value in keys.items())]
    command = [sys.executable, str(APP), "-m", *SPACE, f"epochs={EPOCHS}", *hydra, *overrides]
    path = TOP / name / journal.NAME
    before = path.stat().st_size if path.exists() else 0
    began, start, memory = time.perf_counter(), 0.0, 0
    environment = os.environ | {"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    while process.poll() is None:
        if not start and _has_started(path, before):
            start = time.perf_counter() - began
        memory = max(memory, psutil.Process(process.pid).memory_info().rss)
        time.sleep(0.05)
    if process.returncode:
        sys.exit(f"the sweep {name} ended with {process.returncode}")
    return Watched(start, time.perf_counter() - began, memory)


def _has_started(path: Path, before: int) -> bool:
    if not path.exists():
        return False
    with open(path, "rb") as file:
        file.seek(before)
        return b'"TrialStarted"' in file.read()


@dataclass(frozen=True)
class Times:
    """Seconds since 1970, by trial."""

    starts: dict[int, float]
    ends: dict[int, float]
    reports: dict[int, list[float]]  # of each epoch


@dataclass(frozen=True)
class Costs:
    """Seconds, medians over the trials of a sweep in one slot."""

    trial: float  # from its start to the next one's, less its epochs: ask, compose, log, tell and all else
    slot: float  # the part of that from its start to its end: compose, and Hydra's files of the trial
    between: float  # the other part, in which the coordinator alone works: log, tell, ask
    epoch: float  # from a report to the next one: log, pruner, answer


def costs(name: str) -> Costs:
    times = _times(name)
    epoch = median(_pace(reports) for reports in times.reports.values() if len(reports) > 1)
    epochs = {trial: len(reports) * epoch for trial, reports in times.reports.items()}
    followed = [(trial, times.starts[trial + 1]) for trial in times.ends if trial + 1 in times.starts]
    return Costs(
        trial=median(after - times.starts[trial] - epochs[trial] for trial, after in followed),
        slot=median(end - times.starts[trial] - epochs[trial] for trial, end in times.ends.items()),
        between=median(after - times.ends[trial] for trial, after in followed),
        epoch=epoch,
    )


def searched(name: str) -> float:
    """Seconds from the first trial's start to the last one's end."""
    times = _times(name)
    return max(times.ends.values()) - min(times.starts.values())


def _times(name: str) -> Times:
    times = Times({}, {}, {})
    for event in journal.read(TOP / name):
        match event:
            case TrialStarted():
                times.starts[event.trial] = event.time
            case TrialEnded():
                times.ends[event.trial] = event.time
            case EpochReported():
                times.reports.setdefault(event.trial, []).append(event.time)
    return times


def _pace(reports: list[float]) -> float:
    return (reports[-1] - reports[0]) / (len(reports) - 1)

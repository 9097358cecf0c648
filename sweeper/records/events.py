"""What happens in a sweep, in order. The journal writes it down; MLflow, terminal and leaderboard read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from sweeper.records.states import State

Metrics = dict[str, float]
Report = Callable[[int, float, Metrics], bool]  # (epoch from 1, value, metrics) -> True if the trial shall stop


@dataclass(frozen=True)
class SweepStarted:
    """Once more each time that the sweep is resumed."""

    sweep: str  # the folder's name: its ID on the leaderboard
    command: str  # what the user typed
    metric: str  # what the values measure, for instance val_accuracy, or val_accuracy,parameters
    directions: tuple[str, ...]  # maximize or minimize, one an objective
    n_trials: int
    git_commit: str | None
    time: float  # seconds since 1970, here and below
    choices: dict[str, str] = field(default_factory=dict)  # config groups: {"model": "custom", "dataset": "digits"}
    arguments: tuple[str, ...] = ()  # the overrides typed, Hydra's own left out: a resumed sweep has the same
    allow: tuple[str, ...] = ()  # hydra.sweeper.allow: what the configs may call beside what is ours


@dataclass(frozen=True)
class TrialStarted:
    trial: int
    attempt: int  # 0, or more after a crash
    params: dict[str, Any]  # what the sampler chose, by override key
    command: str  # trains this trial alone
    folder: str  # relative to the sweep's; config.yaml, model.keras and model.yaml appear in it
    time: float


@dataclass(frozen=True)
class EpochReported:
    trial: int
    epoch: int  # from 1
    value: float  # what the pruner judges
    metrics: Metrics
    time: float


@dataclass(frozen=True)
class TrialEnded:
    """CRASHED and INTERRUPTED are not final: the trial may go on with its next attempt."""

    trial: int
    state: State
    values: tuple[float, ...] | None  # one an objective; a pruned trial has its best until then, a failed one None
    reason: str | None  # why it was pruned or failed, what it misses, or whose values it has
    facts: dict[str, Any] = field(default_factory=dict)  # parameters, epochs, best_epoch, seconds: what a task told
    time: float = 0.0
    missed: dict[str, float] = field(default_factory=dict)  # constraint -> how far beyond its bound; empty: feasible


@dataclass(frozen=True)
class TrialTested:
    """The best trial's network met the test split, which nothing that searches looks at."""

    trial: int
    metrics: Metrics  # test_accuracy, test_loss
    images: int  # of the split
    time: float


@dataclass(frozen=True)
class SweepEnded:
    state: Literal["FINISHED", "FAILED", "INTERRUPTED"]
    reason: str | None
    best: int | None  # number of the best trial, for one objective
    time: float


Event = SweepStarted | TrialStarted | EpochReported | TrialEnded | TrialTested | SweepEnded

"""One training without a sweep, recorded like a sweep of one trial: on the leaderboard, in MLflow, ready to export."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack, closing
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from sweeper.config import command
from sweeper.engine import beginning
from sweeper.engine.recorder import Recorder
from sweeper.engine.stopping import Stopping
from sweeper.errors import ConfigError
from sweeper.records import record, states
from sweeper.records.events import EpochReported, Metrics, TrialEnded, TrialStarted
from sweeper.records.journal import Journal
from sweeper.tracking import store
from sweeper.training import config, objectives, segment, trial
from sweeper.training.trainer import direction


def run(cfg: DictConfig, folder: Path) -> float | tuple[float, ...]:
    """Trains what `cfg` describes; returns the value of its best epoch, or the values.

    A training in `folder` that was broken off goes on after its last checkpoint.
    """
    trial.check(cfg)  # before anything is left that `latest` would mean
    segment.of(cfg, None)
    hydra = HydraConfig.get()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends it as Ctrl-C does: with everything written
    optimized = objectives.names(cfg.optimized_metric)
    started = beginning.of(folder, optimized, tuple(map(direction, optimized)), 1, hydra)
    followed = store.read(cfg, hydra.runtime.choices, hydra.job.name)
    with ExitStack() as stack:
        journal = stack.enter_context(closing(Journal(folder)))
        attempt = 0 if journal.empty else _next_attempt(cfg, folder)
        recorder = Recorder(journal, folder, started, slots=1, keep=1, tracking=followed)
        stack.enter_context(closing(recorder))
        recorder.emit(TrialStarted(0, attempt, {}, command.training(hydra.overrides.task), ".", time.time()))
        result = _train(cfg, folder, recorder, Stopping(folder))
        recorder.emit(TrialEnded(0, "FINISHED", result.values, None, result.facts, time.time()))
        recorder.end("FINISHED", in_slot=lambda function, *arguments: function(*arguments))
    return result.value


def _next_attempt(cfg: DictConfig, folder: Path) -> int:
    """Raises: ConfigError if what `folder` holds is not this training, broken off."""
    found = record.read(folder, curves=False)
    if not found.is_single or found.finished:
        what = "a training that is done" if found.is_single else "a sweep"
        raise ConfigError(f"{folder} holds {what}. Leave out hydra.run.dir for a new one, or give another.")
    if (folder / record.CONFIG).exists() and not config.is_of(cfg, folder):
        raise ConfigError(
            f"{folder} holds a training with other values, those of {folder / record.CONFIG}. Give the same ones to go "
            "on with it; for a new one leave out hydra.run.dir, or give another."
        )
    return max((begun.attempt + 1 for begun in found.trials), default=0)


def _train(cfg: DictConfig, folder: Path, recorder: Recorder, stopping: Stopping) -> trial.TrialResult:
    def report(epoch: int, value: float, metrics: Metrics) -> bool:
        recorder.emit(EpochReported(0, epoch, value, metrics, time.time()))
        if stopping.requested:
            raise KeyboardInterrupt
        return False

    try:
        return trial.run(cfg, report, folder)
    except BaseException as error:
        state = states.of(error)
        reason = states.reason(error)
        recorder.emit(TrialEnded(0, state, None, reason, time=time.time()))
        recorder.end("INTERRUPTED" if state == "INTERRUPTED" else "FAILED", reason)
        raise

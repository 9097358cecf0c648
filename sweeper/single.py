"""One training without a sweep, recorded like a sweep of one trial: on the leaderboard, in MLflow, ready to export."""

from __future__ import annotations

import time
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from sweeper import command, trial
from sweeper.events import EpochReported, Metrics, SweepStarted, TrialEnded, TrialStarted
from sweeper.recorder import Recorder, claim


def run(cfg: DictConfig, folder: Path) -> float:
    """Trains what `cfg` describes; returns the value of its best epoch."""
    hydra = HydraConfig.get()
    started = SweepStarted(
        folder.name, command.typed(), cfg.optimized_metric, (hydra.sweeper.direction,), 1, command.git_commit(), _now()
    )
    experiment = cfg.tracking.experiment or hydra.runtime.choices.dataset
    journal = claim(folder)
    recorder = Recorder(journal, folder, started, slots=1, keep=1, experiment=experiment, uri=cfg.tracking.uri)

    def report(epoch: int, value: float, metrics: Metrics) -> bool:
        recorder.emit(EpochReported(0, epoch, value, metrics, _now()))
        return False

    try:
        recorder.emit(TrialStarted(0, 0, {}, command.training(hydra.overrides.task), ".", _now()))
        result = trial.run(cfg, report, folder)
        recorder.emit(TrialEnded(0, "FINISHED", (result.value,), None, result.facts, _now()))
        recorder.end("FINISHED", log_model=lambda function, *arguments: function(*arguments))
        return result.value
    except BaseException as error:
        state = "INTERRUPTED" if isinstance(error, KeyboardInterrupt) else "FAILED"
        reason = f"{type(error).__name__}: {error}"
        recorder.emit(TrialEnded(0, state, None, reason, time=_now()))
        recorder.end(state, reason)
        raise
    finally:
        recorder.close()
        journal.close()


def _now() -> float:
    return time.time()

"""The epochs of a training: which was the best, with its weights, and whether there is to be another."""

from __future__ import annotations

import math
import time

import keras
import numpy as np

from sweeper.errors import Diverged
from sweeper.records.events import Metrics, Report
from sweeper.training.checkpoint import Checkpoint
from sweeper.training.judged import Judged
from sweeper.training.program import Program
from sweeper.training.trainer import Trainer, direction


class Epochs(keras.callbacks.Callback):
    """Hears every step and epoch of a training; remembers the best epoch and decides when to stop."""

    def __init__(self, program: Program, judged: Judged, trainer: Trainer, metric: str, report: Report, inherited: int):
        """inherited: epochs that others have trained; none of them is the best."""
        super().__init__()
        self.best: Metrics = {}
        self.best_epoch = 0  # from 1
        self.best_weights: list[np.ndarray] = []
        self.curve: list[Metrics] = []
        self.seconds: list[float] = []  # of the epochs of this attempt, with their validation
        self.stopped = False  # by `report`
        self.over = False
        self._optimizer = program.optimizer
        self._judged = judged
        self._inherited = inherited
        self._metric = metric
        self._patience = math.inf if trainer.patience is None else trainer.patience
        self._patience_metric = trainer.patience_metric or metric
        self._farthest = math.nan, 0  # best value of that metric and its epoch
        self._report = report

    def on_train_batch_end(self, batch: int, logs: Metrics) -> None:
        self._refuse_divergence(logs["loss"])

    def on_epoch_begin(self, epoch: int, logs: Metrics | None = None) -> None:
        self._begun = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Metrics) -> None:
        self.seconds.append(time.monotonic() - self._begun)
        metrics = {name: float(value) for name, value in logs.items()}
        metrics["learning_rate"] = float(self._optimizer.learning_rate)
        self._refuse_divergence(metrics["val_loss"])
        self._hear(metrics)
        if self.best_epoch == self.trained:
            self.best_weights = self._judged.weights()
        self.model.stop_training = self.over

    @property
    def trained(self) -> int:
        """Epochs."""
        return len(self.curve)

    @property
    def seconds_each(self) -> float | None:
        """The median of this attempt's epochs, the first one left out where there are others: it is traced."""
        seconds = self.seconds[1:] or self.seconds
        return float(np.median(seconds)) if seconds else None

    def repeat(self, saved: Checkpoint) -> None:
        """Hears and reports the epochs of an earlier attempt."""
        for metrics in saved.curve:
            if not self.over:
                self._hear(metrics)
        self.best_weights = saved.best_weights

    def _hear(self, metrics: Metrics) -> None:
        self.curve.append(metrics)
        stopped = self._report(self.trained, metrics[self._metric], metrics)
        if self.trained <= self._inherited:
            return
        if _is_better(self._metric, metrics[self._metric], self.best.get(self._metric, math.nan)):
            self.best, self.best_epoch = metrics, self.trained
        watched = metrics[self._patience_metric]
        if _is_better(self._patience_metric, watched, self._farthest[0]):
            self._farthest = watched, self.trained
        self.stopped = stopped
        self.over = self.stopped or self.trained - self._farthest[1] >= self._patience

    def _refuse_divergence(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise Diverged(
                f"The loss became {loss} in epoch {self.trained + 1}. Give a lower hparams.lr, a longer "
                "schedule.warmup or an optimizer.global_clipnorm."
            )


def _is_better(metric: str, new: float, old: float) -> bool:
    """The first of equal values stays the best; any is better than NaN, which stands for none yet."""
    return math.isnan(old) or (new < old if direction(metric) == "minimize" else new > old)

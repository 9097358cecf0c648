"""Training: fits a network epoch by epoch, keeps the weights of its best epoch and asks after each whether to go on."""

from __future__ import annotations

import gc
import logging
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from keras.src.utils.naming import reset_uids
from keras.src.utils.rng_utils import get_random_seed

from sweeper.errors import Diverged
from sweeper.machine import hardware
from sweeper.machine.quiet import STDERR, silence
from sweeper.records.events import Metrics, Report
from sweeper.training.checkpoint import Checkpoint
from sweeper.training.judged import Judged
from sweeper.training.pipeline import Batches
from sweeper.training.program import Program
from sweeper.training.segment import Segment
from sweeper.training.trainer import Trainer, direction

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fitted:
    value: float  # of the optimized metric in the best epoch
    weights: list[np.ndarray]  # of the network then
    best_epoch: int  # from 1
    epochs: int  # trained
    metrics: Metrics  # of the best epoch
    stopped: bool  # by `report`
    epoch_seconds: float | None  # the median; None where all epochs are of an earlier attempt
    end: Checkpoint | None  # of a segment: what the next one goes on from


def reset(seed: int, precision: str) -> None:
    """Frees the last trial's network; sets the seeds, and the names and types of the layers that are built next.

    TensorFlow's own seed is set for the first training of a process only, for then it forgets all that it has compiled.
    No part of Keras draws from it, nor does our pipeline: layers have generators, which begin anew with the network.
    """
    if get_random_seed() is None:
        _find_devices()
        keras.utils.set_random_seed(seed)
    random.seed(seed)
    np.random.seed(seed)
    gc.collect()  # networks and optimizers refer to themselves
    reset_uids()  # keras.backend.clear_session would, too, and forget likewise
    keras.config.set_dtype_policy(precision)


def _find_devices() -> None:
    """Where the system knows of no GPU, without what TensorFlow has to say of that."""
    with silence(*([] if hardware.gpus() else [STDERR])):
        tf.config.list_physical_devices()


def fit(
    program: Program,
    batches: Batches,
    trainer: Trainer,
    metric: str,
    report: Report,
    saved: Checkpoint | None = None,
    save: Callable[[Checkpoint], None] | None = None,
    segment: Segment | None = None,
) -> Fitted:
    """Trains from where the program stands to the best epoch by `metric`, and some beyond it.

    saved: where an earlier attempt ended. Its epochs are reported again, not trained.
    save: hears at the end of an epoch how to go on, every `trainer.checkpoint` seconds.
    segment: trains its epochs only, of which one is the best.
    Raises: Diverged if the loss becomes infinite or NaN, ConfigError if the segment's parent is another network.
    """
    judged = Judged(program, batches.train)
    epochs = _Epochs(program, judged, trainer, metric, report, segment.first if segment else 0)
    keeper: list[keras.callbacks.Callback] = []
    if save and trainer.checkpoint is not None:
        keeper.append(_Checkpoints(program, epochs, trainer.checkpoint, save))
    ending = _Ending(program, epochs)
    if segment:
        keeper.append(ending)
    goes_on = saved is not None and _restored(saved, program)
    if saved and not goes_on:
        _log.warning("The network was changed since the last checkpoint: the training starts anew.")
    if goes_on:
        epochs.repeat(saved)
        ending.state = saved
    elif segment and segment.parent:
        segment.check(_restored(segment.parent, program))
        epochs.repeat(segment.parent)
    if not epochs.over:
        program.model.fit(
            batches.train(epochs.trained * batches.steps),
            validation_data=batches.validation,
            initial_epoch=epochs.trained,
            epochs=segment.last if segment else trainer.epochs,
            steps_per_epoch=batches.steps,
            callbacks=[judged, epochs, *keeper],
            shuffle=False,
            verbose=0,
        )
    value, weights = epochs.best[metric], epochs.best_weights
    seconds = epochs.seconds[1:] or epochs.seconds  # the first one is traced
    epoch_seconds = float(np.median(seconds)) if seconds else None
    return Fitted(
        value, weights, epochs.best_epoch, epochs.trained, epochs.best, epochs.stopped, epoch_seconds, ending.state
    )


class _Epochs(keras.callbacks.Callback):
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


class _Checkpoints(keras.callbacks.Callback):
    """Saves a training at the end of an epoch, if the last time is long ago. Comes after `epochs`."""

    def __init__(self, program: Program, epochs: _Epochs, seconds: float, save: Callable[[Checkpoint], None]):
        super().__init__()
        self._program, self._epochs, self._seconds, self._save = program, epochs, seconds, save
        self._saved_at = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Metrics | None = None) -> None:
        if self._epochs.over or time.monotonic() - self._saved_at < self._seconds:
            return
        try:
            self._save(_state(self._program, self._epochs))
        except OSError as error:  # a full disk: no reason to end a training
            _log.warning("The training goes on, but could not go on from here if it were killed: %s", error)
        self._saved_at = time.monotonic()


class _Ending(keras.callbacks.Callback):
    """Holds the state after the last epoch: when it ends, Keras puts an optimizer's averages in place of the weights.

    Comes after `epochs`.
    """

    def __init__(self, program: Program, epochs: _Epochs):
        super().__init__()
        self.state: Checkpoint | None = None
        self._program, self._epochs = program, epochs

    def on_epoch_end(self, epoch: int, logs: Metrics | None = None) -> None:
        if epoch + 1 == self.params["epochs"]:
            self.state = _state(self._program, self._epochs)


def _state(program: Program, epochs: _Epochs) -> Checkpoint:
    """At the end of an epoch."""
    network, optimizer = (
        [variable.numpy() for variable in owner.variables] for owner in (program.net, program.model.optimizer)
    )
    return Checkpoint(epochs.curve, network, optimizer, epochs.best_weights)


def _restored(saved: Checkpoint, program: Program) -> bool:
    """Whether the checkpoint was one of this network, whose file may have changed since."""
    pairs = ((program.net.variables, saved.network), (program.model.optimizer.variables, saved.optimizer))
    if any([v.shape for v in variables] != [value.shape for value in values] for variables, values in pairs):
        return False
    for variables, values in pairs:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    return True


def _is_better(metric: str, new: float, old: float) -> bool:
    """The first of equal values stays the best; any is better than NaN, which stands for none yet."""
    return math.isnan(old) or (new < old if direction(metric) == "minimize" else new > old)

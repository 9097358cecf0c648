"""Training: fits a network epoch by epoch, keeps the weights of its best epoch and asks after each whether to go on."""

from __future__ import annotations

import gc
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from keras.src.utils.naming import reset_uids
from keras.src.utils.rng_utils import get_random_seed

from sweeper.machine import hardware
from sweeper.machine.quiet import STDERR, silence
from sweeper.records.events import Metrics, Report
from sweeper.training.checkpoint import Checkpoint
from sweeper.training.epochs import Epochs
from sweeper.training.judged import Judged
from sweeper.training.pipeline import Batches
from sweeper.training.program import Program
from sweeper.training.segment import Segment
from sweeper.training.trainer import Trainer

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
    epochs = Epochs(program, judged, trainer, metric, report, segment.first if segment else 0)
    callbacks, ending = [judged, epochs], _Ending(program, epochs)
    if save and trainer.checkpoint is not None:
        callbacks.append(_Checkpoints(program, epochs, trainer.checkpoint, save))
    if segment:
        callbacks.append(ending)
    before = _gone_on_from(program, saved, segment)
    if before:
        epochs.repeat(before)
    if saved and before is saved:
        ending.state = saved
    if not epochs.over:
        program.model.fit(
            batches.train(epochs.trained * batches.steps),
            validation_data=batches.validation,
            initial_epoch=epochs.trained,
            epochs=segment.last if segment else trainer.epochs,
            steps_per_epoch=batches.steps,
            callbacks=callbacks,
            shuffle=False,
            verbose=0,
        )
    return Fitted(
        value=epochs.best[metric],
        weights=epochs.best_weights,
        best_epoch=epochs.best_epoch,
        epochs=epochs.trained,
        metrics=epochs.best,
        stopped=epochs.stopped,
        epoch_seconds=epochs.seconds_each,
        end=ending.state,
    )


def _gone_on_from(program: Program, saved: Checkpoint | None, segment: Segment | None) -> Checkpoint | None:
    """What the program now stands at: the end of an earlier attempt, else of the segment's parent; None: neither."""
    if saved and _restored(saved, program):
        return saved
    if saved:
        _log.warning("The network was changed since the last checkpoint: the training starts anew.")
    if segment and segment.parent:
        segment.check(_restored(segment.parent, program))
        return segment.parent
    return None


class _Checkpoints(keras.callbacks.Callback):
    """Saves a training at the end of an epoch, if the last time is long ago. Comes after `epochs`."""

    def __init__(self, program: Program, epochs: Epochs, seconds: float, save: Callable[[Checkpoint], None]):
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

    def __init__(self, program: Program, epochs: Epochs):
        super().__init__()
        self.state: Checkpoint | None = None
        self._program, self._epochs = program, epochs

    def on_epoch_end(self, epoch: int, logs: Metrics | None = None) -> None:
        if epoch + 1 == self.params["epochs"]:
            self.state = _state(self._program, self._epochs)


def _state(program: Program, epochs: Epochs) -> Checkpoint:
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

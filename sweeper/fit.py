"""Training: fits a network epoch by epoch, keeps the weights of its best epoch and asks after each whether to go on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from sweeper.errors import Diverged
from sweeper.events import Metrics, Report
from sweeper.trainer import Trainer, direction

SETTLING = 32  # batches after which batch norm knows other weights: its momentum of 0.9 leaves 3 % of the old ones


@dataclass(frozen=True)
class Fitted:
    value: float  # of the optimized metric in the best epoch
    best_epoch: int  # from 1
    epochs: int  # trained
    metrics: Metrics  # of the best epoch
    stopped: bool  # by `report`


def reset(seed: int, precision: str) -> None:
    """Frees the last trial's network in this process, then sets the seeds and the types of layers built from now on."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(precision)


def fit(
    net: keras.Model,
    optimizer: keras.Optimizer,
    train: tf.data.Dataset,
    steps: int,
    validation: tf.data.Dataset,
    trainer: Trainer,
    metric: str,
    report: Report,
) -> Fitted:
    """Trains `net` in place and leaves it with the weights of its best epoch by `metric`.

    train: endless batches of images, labels (batch, classes) and perhaps weights of images; `steps` make an epoch.
    validation: batches of images and labels.
    Raises: Diverged if the loss becomes infinite or NaN.
    """
    biases_and_norms = [variable for variable in net.trainable_variables if len(variable.shape) < 2]
    optimizer.exclude_from_weight_decay(biases_and_norms)
    if trainer.ema:
        optimizer.use_ema, optimizer.ema_momentum = True, trainer.ema
    # It sums gradients over the replicas, of which there is one. TensorFlow would keep that sum in a table for the rest
    # of the process, and with it the graph and all weights: 300 MB a trial for model=alexnet.
    optimizer._all_reduce_sum_gradients = list
    # Compiled in the network's place and sharing its weights: the network itself is saved without an optimizer.
    model = keras.Model(net.inputs, net.outputs)
    model.compile(
        optimizer,
        loss="categorical_crossentropy",
        metrics=[keras.metrics.CategoricalAccuracy("accuracy")],  # the likeliest class of a label is the right one
        steps_per_execution=_divisor(steps, trainer.steps_per_execution),
        jit_compile=trainer.jit_compile,
    )
    model.optimizer.build(model.trainable_variables)  # else the first step creates variables, and Keras traces it twice
    judged = _Judged(optimizer, train)
    epochs = _Epochs(optimizer, judged, trainer, metric, report)
    model.fit(
        train,
        validation_data=validation,
        epochs=trainer.epochs,
        steps_per_epoch=steps,
        callbacks=[judged, epochs],
        shuffle=False,
        verbose=0,
    )
    net.set_weights(epochs.best_weights)
    return Fitted(epochs.best[metric], epochs.best_epoch, epochs.trained, epochs.best, epochs.stopped)


class _Judged(keras.callbacks.Callback):
    """The weights that the network is judged, kept and saved with: the trained ones, or an optimizer's averages."""

    def __init__(self, optimizer: keras.Optimizer, train: tf.data.Dataset):
        super().__init__()
        self._optimizer, self._train = optimizer, train
        self._averages = optimizer.use_ema or getattr(optimizer, "averages", False)
        self._trained: list[np.ndarray] = []
        self._weights: list[np.ndarray] = []

    def on_train_begin(self, logs: Metrics | None = None) -> None:
        self._forward = tf.function(self.model)  # traced once

    def weights(self) -> list[np.ndarray]:
        """After a validation: those that it judged."""
        return self._weights if self._averages else self.model.get_weights()

    def on_test_begin(self, logs: Metrics | None = None) -> None:
        if not self._averages:
            return
        self._trained = [variable.numpy() for variable in self.model.trainable_variables]
        self._optimizer.finalize_variable_values(self.model.trainable_variables)
        if self.model.non_trainable_weights:
            self._settle_batch_norm()

    def on_test_end(self, logs: Metrics | None = None) -> None:
        if not self._averages:
            return
        self._weights = self.model.get_weights()
        for variable, value in zip(self.model.trainable_variables, self._trained, strict=True):
            variable.assign(value)

    def _settle_batch_norm(self) -> None:
        """Its statistics are those of the trained weights' activations; the averages' are taken anew."""
        for images, *_ in self._train.take(SETTLING):
            self._forward(images, training=True)


class _Epochs(keras.callbacks.Callback):
    """Hears every step and epoch of a training; remembers the best epoch and decides when to stop."""

    def __init__(self, optimizer: keras.Optimizer, judged: _Judged, trainer: Trainer, metric: str, report: Report):
        super().__init__()
        self.best: Metrics = {}
        self.best_epoch = 0
        self.best_weights: list[np.ndarray] = []
        self.trained = 0  # epochs
        self.stopped = False
        self._optimizer = optimizer
        self._judged = judged
        self._metric = metric
        self._patience = math.inf if trainer.patience is None else trainer.patience
        self._patience_metric = trainer.patience_metric
        self._farthest = math.nan, 0  # best value of that metric and its epoch
        self._report = report

    def on_train_batch_end(self, batch: int, logs: Metrics) -> None:
        self._refuse_divergence(logs["loss"])

    def on_epoch_end(self, epoch: int, logs: Metrics) -> None:
        metrics = {name: float(value) for name, value in logs.items()}
        metrics["learning_rate"] = float(self._optimizer.learning_rate)
        self._refuse_divergence(metrics["val_loss"])
        self.trained = epoch + 1
        if _is_better(self._metric, metrics[self._metric], self.best.get(self._metric, math.nan)):
            self.best, self.best_epoch, self.best_weights = metrics, self.trained, self._judged.weights()
        watched = metrics[self._patience_metric]
        if _is_better(self._patience_metric, watched, self._farthest[0]):
            self._farthest = watched, self.trained
        self.stopped = self._report(self.trained, metrics[self._metric], metrics)
        self.model.stop_training = self.stopped or self.trained - self._farthest[1] >= self._patience

    def _refuse_divergence(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise Diverged(
                f"The loss became {loss} in epoch {self.trained + 1}. Give a lower hparams.lr, a longer "
                "schedule.warmup or an optimizer.global_clipnorm."
            )


def _divisor(steps: int, most: int) -> int:
    """The most steps at a time that make up an epoch exactly: of endless batches Keras would take some too many."""
    return max(divisor for divisor in range(1, most + 1) if steps % divisor == 0)


def _is_better(metric: str, new: float, old: float) -> bool:
    """The first of equal values stays the best; any is better than NaN, which stands for none yet."""
    return math.isnan(old) or (new < old if direction(metric) == "minimize" else new > old)

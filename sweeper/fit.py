"""Training: fits a network epoch by epoch, keeps the weights of its best epoch and asks after each whether to go on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from sweeper.errors import Diverged
from sweeper.events import Metrics, Report
from sweeper.trainer import Trainer, direction


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
    validation: tf.data.Dataset,
    trainer: Trainer,
    metric: str,
    report: Report,
) -> Fitted:
    """Trains `net` in place and leaves it with the weights of its best epoch by `metric`.

    train, validation: batches of images and labels, which are class numbers (batch,) or distributions (batch, classes).
    Raises: Diverged if the loss becomes infinite or NaN.
    """
    biases_and_norms = [variable for variable in net.trainable_variables if len(variable.shape) < 2]
    optimizer.exclude_from_weight_decay(biases_and_norms)
    # It sums gradients over the replicas, of which there is one. TensorFlow would keep that sum in a table for the rest
    # of the process, and with it the graph and all weights: 300 MB a trial for model=alexnet.
    optimizer._all_reduce_sum_gradients = list
    # Compiled in the network's place and sharing its weights: the network itself is saved without an optimizer.
    model = keras.Model(net.inputs, net.outputs)
    model.compile(
        optimizer,
        **_loss_and_accuracy(train),
        steps_per_execution=trainer.steps_per_execution,
        jit_compile=trainer.jit_compile,
    )
    model.optimizer.build(model.trainable_variables)  # else the first step creates variables, and Keras traces it twice
    epochs = _Epochs(optimizer, metric, trainer.patience, report)
    model.fit(train, validation_data=validation, epochs=trainer.epochs, callbacks=[epochs], shuffle=False, verbose=0)
    net.set_weights(epochs.best_weights)
    return Fitted(epochs.best[metric], epochs.best_epoch, epochs.trained, epochs.best, epochs.stopped)


def _loss_and_accuracy(train: tf.data.Dataset) -> dict[str, Any]:
    """Accuracy counts the images whose likeliest class is the label's, or the one that a distribution gives most."""
    _, labels = train.element_spec
    if labels.shape.rank == 2:
        return {"loss": "categorical_crossentropy", "metrics": [keras.metrics.CategoricalAccuracy("accuracy")]}
    return {
        "loss": "sparse_categorical_crossentropy",
        "metrics": [keras.metrics.SparseCategoricalAccuracy("accuracy")],
    }


class _Epochs(keras.callbacks.Callback):
    """Hears every step and epoch of a training; remembers the best epoch and decides when to stop."""

    def __init__(self, optimizer: keras.Optimizer, metric: str, patience: int | None, report: Report):
        super().__init__()
        self.best: Metrics = {}
        self.best_epoch = 0
        self.best_weights: list[np.ndarray] = []
        self.trained = 0  # epochs
        self.stopped = False
        self._optimizer = optimizer
        self._metric = metric
        self._patience = math.inf if patience is None else patience
        self._report = report

    def on_train_batch_end(self, batch: int, logs: Metrics) -> None:
        self._refuse_divergence(logs["loss"])

    def on_epoch_end(self, epoch: int, logs: Metrics) -> None:
        metrics = {name: float(value) for name, value in logs.items()}
        metrics["learning_rate"] = float(self._optimizer.learning_rate)
        self._refuse_divergence(metrics["val_loss"])
        self.trained = epoch + 1
        if self._is_better(metrics):
            self.best, self.best_epoch, self.best_weights = metrics, self.trained, self.model.get_weights()
        self.stopped = self._report(self.trained, metrics[self._metric], metrics)
        self.model.stop_training = self.stopped or self.trained - self.best_epoch >= self._patience

    def _is_better(self, metrics: Metrics) -> bool:
        """The first of equal epochs stays the best."""
        if not self.best:
            return True
        new, old = metrics[self._metric], self.best[self._metric]
        return new < old if direction(self._metric) == "minimize" else new > old

    def _refuse_divergence(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise Diverged(
                f"The loss became {loss} in epoch {self.trained + 1}. Give a lower hparams.lr, a longer "
                "schedule.warmup or an optimizer.clipnorm."
            )

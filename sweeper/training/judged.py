"""The weights that a network is judged, kept and saved with: the trained ones, or an optimizer's averages of them."""

from __future__ import annotations

import math
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from sweeper.records.events import Metrics
from sweeper.training.program import Program

FORGOTTEN = 0.03  # share of the trained weights' statistics that batch norm may keep when it gets to know others


class Judged(keras.callbacks.Callback):
    """Puts an optimizer's averages, if it has any, in place of the trained weights during each validation."""

    def __init__(self, program: Program, train: Callable[[int], tf.data.Dataset]):
        """train: gives batches from a step on; by the first ones batch norm gets to know the averages."""
        super().__init__()
        self._optimizer, self._forward, self._train = program.optimizer, program.forward, train
        self._averages = self._optimizer.use_ema or getattr(self._optimizer, "averages", False)
        self._trained: list[np.ndarray] = []
        self._weights: list[np.ndarray] = []

    def on_train_begin(self, logs: Metrics | None = None) -> None:
        if self._averages:
            self._batches = self._train(0).take(self._settling())  # whichever step the training begins with

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

    def _settling(self) -> int:
        """Batches: 34 for the momentum of our networks, 0.9; 350 for Keras' 0.99."""
        layers = self.model._flatten_layers(include_self=False)
        momenta = [layer.momentum for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
        slowest = max(momenta, default=0.0)
        return math.ceil(math.log(FORGOTTEN) / math.log(slowest)) if slowest > 0 else 1

    def _settle_batch_norm(self) -> None:
        """Its statistics are those of the trained weights' activations; the averages' are taken anew."""
        for images, *_ in self._batches:
            self._forward(images, training=True)

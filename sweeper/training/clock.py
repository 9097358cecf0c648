"""How long a step takes: a few of them, timed where a real training has its callbacks."""

from __future__ import annotations

import math
import time
from statistics import median

import keras

from sweeper.errors import Diverged
from sweeper.records.events import Metrics

SECONDS = 2.0  # that steps are timed for,
MOST = 20  # or so many returns to Python


class Clock(keras.callbacks.Callback):
    """Stops a training or a validation once it knows. Raises: Diverged if the loss becomes infinite or NaN."""

    def on_train_begin(self, logs: Metrics | None = None) -> None:
        self.steps = 0
        self._spans: list[float] = []  # seconds a step; the first one is traced
        self._together = 1  # steps between two returns to Python
        self._at = time.perf_counter()

    on_test_begin = on_train_begin

    def on_train_batch_end(self, batch: int, logs: Metrics) -> None:
        _refuse_divergence(float(logs["loss"]), f"step {batch + 1}")  # float waits for a GPU
        self.model.stop_training = self._enough(batch)

    def on_test_batch_end(self, batch: int, logs: Metrics) -> None:
        _refuse_divergence(float(logs["loss"]), f"batch {batch + 1} of the validation")
        self.model.stop_evaluating = self._enough(batch)

    @property
    def step(self) -> float:
        """Seconds."""
        return median(self._spans[1:] or self._spans)

    @property
    def tracing(self) -> float:
        """Seconds that the first return took longer than the others."""
        return max(0.0, self._spans[0] - self.step) * self._together

    def _enough(self, batch: int) -> bool:
        now = time.perf_counter()
        self._together = batch + 1 - self.steps
        self._spans.append((now - self._at) / self._together)
        self._at, self.steps = now, batch + 1
        timed = self._together * sum(self._spans[1:])
        return len(self._spans) > MOST or (len(self._spans) > 2 and timed > SECONDS)


def _refuse_divergence(loss: float, where: str) -> None:
    if not math.isfinite(loss):
        raise Diverged(f"The loss became {loss} in {where}.")

"""Learning rates that a traced program reads from a table: the next training puts its own in place."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from sweeper.training.schedule import Schedule


class Rates(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, rates: np.ndarray):
        """rates: (steps + 1,) float32, of each step and after the last one."""
        self._table = tf.Variable(rates, trainable=False, shape=(None,))

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        last = tf.shape(self._table)[0] - 1
        return tf.gather(self._table, tf.minimum(tf.cast(step, tf.int32), last))

    def begin(self, other: Rates) -> None:
        self._table.assign(other._table)

    def multiply(self, factor: float) -> None:
        self._table.assign(factor * self._table)

    def get_config(self) -> dict:
        return {}  # no program is saved


def table(schedule: Schedule | keras.optimizers.schedules.LearningRateSchedule, steps: int) -> np.ndarray:
    """(steps + 1,) float32, of each step and after the last one; of one of Keras' own schedules, too."""
    if isinstance(schedule, Schedule):
        return schedule.rates
    sampled = tf.function(lambda: tf.map_fn(schedule, tf.range(steps + 1), fn_output_signature=tf.float32))
    return sampled().numpy()

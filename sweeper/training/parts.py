"""What a trial begins with: a network, and an optimizer set up for it."""

from __future__ import annotations

import math
from collections.abc import Iterable

import keras

from sweeper.errors import ConfigError
from sweeper.training.rates import Rates
from sweeper.training.trainer import Trainer

# Of Keras' optimizers and ours: what their steps calculate with, but never decide by. They do by `momentum` of SGD and
# by the clips, which have to stay plain numbers.
NUMBERS = ("weight_decay", "adam_weight_decay", "l2", "beta_1", "beta_2", "rho", "epsilon", "ema_momentum")


class Parts:
    def __init__(self, net: keras.Model, optimizer: keras.Optimizer, rates: Rates, trainer: Trainer):
        """rates: of the optimizer. Raises: ConfigError for two kinds of averages at once."""
        if trainer.ema and getattr(optimizer, "averages", False):
            raise ConfigError(
                f"trainer.ema={trainer.ema}: this optimizer averages its weights itself. Leave out one of the two."
            )
        biases_and_norms = [variable for variable in net.trainable_variables if len(variable.shape) < 2]
        optimizer.exclude_from_weight_decay(biases_and_norms)
        if trainer.ema:
            optimizer.use_ema, optimizer.ema_momentum = True, trainer.ema
        optimizer._all_reduce_sum_gradients = _of_one_replica
        self.net, self.optimizer, self.rates, self.trainer = net, optimizer, rates, trainer

    @property
    def numbers(self) -> dict[str, float]:
        """Of the optimizer, which a program holds in variables: none of a class of the user's own, which may decide
        by them.
        """
        if not type(self.optimizer).__module__.startswith(("keras.", "sweeper.")):
            return {}
        found = {name: getattr(self.optimizer, name, None) for name in NUMBERS}
        return {name: float(value) for name, value in found.items() if isinstance(value, int | float)}

    def built(self) -> keras.Optimizer:
        """The optimizer with the variables of its steps, as the training uses it."""
        scaled = self.trainer.precision == "mixed_float16"
        built = keras.optimizers.LossScaleOptimizer(self.optimizer) if scaled else self.optimizer
        built.build(self.net.trainable_variables)  # else the first step creates them, and Keras traces it twice
        return built

    def steps_at_once(self, steps: int) -> int:
        """That a program does before it returns to Python, near what the trainer wants. steps: an epoch.

        They make up an epoch exactly, for of endless batches Keras would take some too many.
        """
        wanted = self.trainer.steps_per_execution
        divisors = (number for number in range(1, 2 * wanted + 1) if steps % number == 0)
        return min(divisors, key=lambda number: abs(math.log(number / wanted)))


def _of_one_replica(gradients: Iterable[tuple]) -> list[tuple]:
    """Keras sums gradients over the replicas, of which there is one. TensorFlow would keep that sum in a table for the
    rest of the process, and with it the graph and all weights: 300 MB a trial for model=alexnet.
    """
    return list(gradients)

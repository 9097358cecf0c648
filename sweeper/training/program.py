"""A network and its optimizer as TensorFlow traced them: trials that differ only in numbers share one.

To trace takes longer than to train a small network for an epoch. So the numbers that change no shape (learning rates,
dropout rates, decays) are variables of a program. A trial puts its own in place, with its own weights.
"""

from __future__ import annotations

import gc
import json

import keras
import tensorflow as tf
from keras import layers

from sweeper.errors import ConfigError
from sweeper.training.rates import Rates
from sweeper.training.trainer import Trainer
from sweeper.training.views import BothViews

# Of an optimizer: what its steps calculate with, but never decide by.
NUMBERS = ("weight_decay", "adam_weight_decay", "l2", "beta_1", "beta_2", "rho", "ema_momentum")
_PLAIN = int | float | str | None  # an attribute that tells one optimizer from another


class Parts:
    """What a trial begins with."""

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
        # It sums gradients over the replicas, of which there is one. TensorFlow would keep that sum in a table for the
        # rest of the process, and with it the graph and all weights: 300 MB a trial for model=alexnet.
        optimizer._all_reduce_sum_gradients = list
        self.net, self.optimizer, self.rates, self.trainer = net, optimizer, rates, trainer

    def built(self) -> keras.Optimizer:
        """The optimizer with the variables of its steps, as the training uses it."""
        scaled = self.trainer.precision == "mixed_float16"
        built = keras.optimizers.LossScaleOptimizer(self.optimizer) if scaled else self.optimizer
        built.build(self.net.trainable_variables)  # else the first step creates them, and Keras traces it twice
        return built


class Program:
    def __init__(self, parts: Parts, steps: int):
        """Of its first trial, whose network it goes on to train for all others. steps: an epoch."""
        trainer = parts.trainer
        self.net, self.optimizer, self.rates = parts.net, parts.optimizer, parts.rates
        self._numbers = {name: tf.Variable(value, trainable=False) for name, value in _numbers(parts.optimizer).items()}
        for name, variable in self._numbers.items():
            setattr(self.optimizer, name, variable)
        self._dropouts: dict[str, Dropout] = {}
        twin = keras.models.clone_model(self.net, clone_function=self._shared)
        self.model = BothViews(twin) if trainer.views == 2 else twin  # it is what is traced, with the weights of `net`
        self.model.compile(
            parts.built(),
            loss="categorical_crossentropy",
            metrics=[keras.metrics.CategoricalAccuracy("accuracy")],  # the likeliest class of a label is the right one
            steps_per_execution=_divisor(steps, trainer.steps_per_execution),
            jit_compile=trainer.jit_compile,
        )
        self.forward = tf.function(self.model)

    @property
    def variables(self) -> list[keras.Variable]:
        """All that training changes."""
        return [*self.net.variables, *self.model.optimizer.variables]

    def begin(self, parts: Parts) -> None:
        """Takes over the values of another trial of the same structure."""
        fresh = [*parts.net.variables, *parts.built().variables]
        for variable, value in zip(self.variables, fresh, strict=True):
            variable.assign(value)
        for name, value in _numbers(parts.optimizer).items():
            self._numbers[name].assign(value)
        for layer in parts.net.layers:
            if layer.name in self._dropouts:
                self._dropouts[layer.name].chance.assign(layer.rate)
        self.rates.begin(parts.rates)

    def _shared(self, layer: keras.Layer) -> keras.Layer:
        """The layer itself, or for a dropout layer one that has its rate in a variable."""
        if not _has_variable_rate(layer):
            return layer
        return self._dropouts.setdefault(layer.name, Dropout(layer))


class Dropout(layers.Layer):
    """Drops what the stock layer would, at a rate that a traced program reads from a variable."""

    def __init__(self, stock: layers.Dropout):
        super().__init__(name=stock.name, dtype=stock.dtype_policy)
        self.chance = tf.Variable(stock.rate, trainable=False)
        self._noise_shape, self._generator = stock.noise_shape, stock.seed_generator

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training:
            return inputs
        seed = tf.cast(self._generator.next() % (tf.int32.max - 1), tf.int32)  # as Keras: the stock layer's masks
        rate = tf.cast(self.chance, inputs.dtype)
        return tf.nn.experimental.stateless_dropout(inputs, rate, seed, noise_shape=self._noise_shape)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape


class Programs:
    """Those that a process keeps: the most recent ones."""

    MOST = 4  # each has a graph
    BYTES = 2**29  # of the variables of all but the present one

    def __init__(self) -> None:
        self._kept: dict[str, Program] = {}  # by structure, the most recent last

    def take(self, parts: Parts, steps: int) -> Program:
        """One of that structure, with the values of these parts. steps: an epoch."""
        key = structure(parts, steps)
        program = self._kept.pop(key, None)
        if program:
            program.begin(parts)
        else:
            self._make_room()
            program = Program(parts, steps)
        self._kept[key] = program
        return program

    def _make_room(self) -> None:
        kept = len(self._kept)
        while len(self._kept) >= self.MOST or sum(map(_size, self._kept.values())) > self.BYTES:
            del self._kept[next(iter(self._kept))]
        if len(self._kept) < kept:
            gc.collect()  # their graphs refer to themselves


def structure(parts: Parts, steps: int) -> str:
    """The same for two trials that one program can train."""
    trainer = parts.trainer
    net = json.loads(parts.net.to_json())
    for layer, described in zip(parts.net.layers, net["config"]["layers"], strict=True):
        if _has_variable_rate(layer):
            described["config"]["rate"] = "any"
    settings = {name: value for name, value in vars(parts.optimizer).items() if isinstance(value, _PLAIN)}
    optimizer = settings | dict.fromkeys(_numbers(parts.optimizer), "any")
    traced = trainer.batch_size, _divisor(steps, trainer.steps_per_execution), trainer.jit_compile
    learned = trainer.views, trainer.ema is not None, trainer.class_weights
    return json.dumps([net, str(type(parts.optimizer)), optimizer, traced, learned], sort_keys=True)


def _has_variable_rate(layer: keras.Layer) -> bool:
    return type(layer) is layers.Dropout and layer.rate > 0  # without it the layer has no random generator


def _numbers(optimizer: keras.Optimizer) -> dict[str, float]:
    """None of a class of the user's own, which may decide by them."""
    if not type(optimizer).__module__.startswith(("keras.", "sweeper.")):
        return {}
    found = {name: getattr(optimizer, name, None) for name in NUMBERS}
    return {name: float(value) for name, value in found.items() if isinstance(value, int | float)}


def _divisor(steps: int, most: int) -> int:
    """The most steps at a time that make up an epoch exactly: of endless batches Keras would take some too many."""
    return max(divisor for divisor in range(1, most + 1) if steps % divisor == 0)


def _size(program: Program) -> int:
    """Bytes of its variables."""
    return sum(variable.value.dtype.size * variable.value.shape.num_elements() for variable in program.variables)

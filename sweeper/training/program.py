"""A network and its optimizer as TensorFlow traced them: trials that differ only in numbers share one.

To trace takes longer than to train a small network for an epoch. So the numbers that change no shape (learning rates,
dropout rates, decays) are variables of a program. A trial puts its own in place, with its own weights.
"""

from __future__ import annotations

import gc

import keras
import tensorflow as tf

from sweeper.training import twins
from sweeper.training.parts import Parts
from sweeper.training.structure import Structure
from sweeper.training.views import BothViews


class Program:
    def __init__(self, parts: Parts, steps: int):
        """Of its first trial, whose network it goes on to train for all others. steps: an epoch."""
        trainer = parts.trainer
        self.net, self.optimizer, self.rates = parts.net, parts.optimizer, parts.rates
        self._numbers = {name: tf.Variable(value, trainable=False) for name, value in parts.numbers.items()}
        for name, variable in self._numbers.items():
            setattr(self.optimizer, name, variable)
        self._dropouts: dict[str, twins.Dropout] = {}
        twin = keras.models.clone_model(self.net, clone_function=self._traced)
        self.model = BothViews(twin) if trainer.views == 2 else twin  # it is what is traced, with the weights of `net`
        self.model.compile(
            parts.built(),
            loss="categorical_crossentropy",
            metrics=[keras.metrics.CategoricalAccuracy("accuracy")],  # the likeliest class of a label is the right one
            steps_per_execution=parts.steps_at_once(steps),
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
        for name, value in parts.numbers.items():
            self._numbers[name].assign(value)
        for layer in parts.net.layers:
            if layer.name in self._dropouts:
                self._dropouts[layer.name].chance.assign(layer.rate)
        self.rates.begin(parts.rates)

    def _traced(self, layer: keras.Layer) -> keras.Layer:
        """The layer itself or its twin, with the same variables."""
        if twins.has_variable_rate(layer):
            return self._dropouts.setdefault(layer.name, twins.Dropout(layer))
        return twins.BatchNormalization(layer) if twins.is_fused(layer) else layer


class Programs:
    """Those that a process keeps: the most recent ones."""

    MOST = 4  # each has a graph
    BYTES = 2**29  # of the variables of all but the present one

    def __init__(self) -> None:
        self._kept: dict[Structure, Program] = {}  # the most recent last

    def take(self, structure: Structure, parts: Parts, steps: int) -> Program:
        """One of that structure, with the values of these parts, whose structure it is. steps: an epoch."""
        program = self._kept.pop(structure, None)
        if program:
            program.begin(parts)
        else:
            self._make_room()
            program = Program(parts, steps)
        self._kept[structure] = program
        return program

    def _make_room(self) -> None:
        kept = len(self._kept)
        while len(self._kept) >= self.MOST or sum(map(_size, self._kept.values())) > self.BYTES:
            del self._kept[next(iter(self._kept))]
        if len(self._kept) < kept:
            gc.collect()  # their graphs refer to themselves


def _size(program: Program) -> int:
    """Bytes of its variables."""
    return sum(variable.value.dtype.size * variable.value.shape.num_elements() for variable in program.variables)

"""The learning rate of each step of a training, for any optimizer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
from keras.optimizers import schedules

from sweeper.errors import ConfigError


def constant(lr: float, steps: int) -> schedules.LearningRateSchedule:
    """`lr` at each of the `steps`."""
    return schedules.PolynomialDecay(lr, steps, end_learning_rate=lr)


def cosine(lr: float, steps: int, *, warmup: float = 0.0) -> schedules.LearningRateSchedule:
    """A straight climb to `lr` over the first `warmup` of the `steps`, then half a cosine down to 0.

    Raises: ConfigError if `warmup` is not a fraction below 1.
    Source: Loshchilov and Hutter 2017, arXiv:1608.03983.
    """
    _check_share("warmup", warmup)
    climb = round(warmup * steps)
    if climb == 0:
        return schedules.CosineDecay(lr, steps)
    return schedules.CosineDecay(lr / climb, steps - climb, warmup_target=lr, warmup_steps=climb)


def one_cycle(lr: float, steps: int, *, peak_at: float = 0.25, start: float = 0.1) -> OneCycle:
    """A straight climb from `start` of `lr` to `lr` over the first `peak_at` of the `steps`, then a straight fall to 0.

    Raises: ConfigError if `peak_at` or `start` is not a fraction below 1.
    Source: Smith and Topin 2018, arXiv:1708.07120; the momentum stays as it is.
    """
    _check_share("peak_at", peak_at)
    _check_share("start", start)
    return OneCycle(lr, steps, round(peak_at * steps), start)


def step(
    lr: float, steps: int, *, factor: float = 0.1, at: Sequence[float] = (0.5, 0.75)
) -> schedules.LearningRateSchedule:
    """`lr`, multiplied by `factor` at each of the fractions `at` of the `steps`.

    Raises: ConfigError if `factor` or one of `at` is not a fraction below 1.
    """
    _check_share("factor", factor)
    for share in at:
        _check_share("at", share)
    lr = float(lr)  # of a whole number TensorFlow would make integers
    drops = sorted(round(share * steps) for share in at)
    places = sorted(set(drops))
    after = [lr * factor ** sum(drop <= place for drop in drops) for place in places]
    return schedules.PiecewiseConstantDecay(places, [lr, *after]) if places else constant(lr, steps)


def plateau(lr: float, steps: int, *, factor: float = 0.5, patience: int = 3) -> Plateau:
    """`lr`, multiplied by `factor` whenever the validation loss has not fallen for `patience` epochs.

    Raises: ConfigError if `factor` is not a fraction below 1 or `patience` not a count of epochs.
    """
    _check_share("factor", factor)
    if not isinstance(patience, int) or patience < 1:
        raise ConfigError(f"schedule.patience={patience}: not a count of epochs. Give a whole number from 1.")
    return Plateau(lr, factor, patience)


class OneCycle(schedules.LearningRateSchedule):
    """One triangle: up over `climb` of the `steps`, down over the others."""

    def __init__(self, lr: float, steps: int, climb: int, start: float):
        self._lr, self._steps, self._climb, self._start = lr, steps, climb, start

    def __call__(self, step: int) -> float:
        step = keras.ops.cast(step, "float32")
        up = self._start + (1 - self._start) * step / max(1, self._climb)
        down = (self._steps - step) / max(1, self._steps - self._climb)
        return self._lr * keras.ops.clip(keras.ops.minimum(up, down), 0.0, 1.0)

    def get_config(self) -> dict:
        return {"lr": self._lr, "steps": self._steps, "climb": self._climb, "start": self._start}


class Plateau(schedules.LearningRateSchedule):
    """Holds its rate in a variable, so that it falls in a training that is already compiled."""

    def __init__(self, lr: float, factor: float, patience: int):
        self._rate = keras.Variable(lr, trainable=False, dtype="float32", name="learning_rate")
        self._factor, self._patience = factor, patience
        self._best, self._waited = math.inf, 0  # epochs

    def __call__(self, step: int) -> float:
        return self._rate + 0.0

    def end_epoch(self, val_loss: float) -> None:
        """Hears each epoch's validation loss."""
        self._waited += 1
        if val_loss < self._best:
            self._best, self._waited = val_loss, 0
        elif self._waited >= self._patience:
            self._rate.assign(self._rate * self._factor)
            self._waited = 0

    def get_config(self) -> dict:
        return {"lr": float(self._rate), "factor": self._factor, "patience": self._patience}


def _check_share(key: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ConfigError(f"schedule.{key}={value}: not a fraction. Give a number from 0 to below 1, for instance 0.1.")

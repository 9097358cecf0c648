"""The learning rate of each step of a training, for any optimizer: a table, which no traced program has built in."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sweeper.errors import ConfigError


class Schedule:
    def __init__(self, rates: np.ndarray):
        """rates: (steps + 1,), of each step and after the last one."""
        self.rates = rates.astype(np.float32)

    def end_epoch(self, val_loss: float) -> float:
        """Hears each epoch's validation loss; returns what the rates from now on are multiplied by."""
        return 1.0


class Plateau(Schedule):
    def __init__(self, rates: np.ndarray, factor: float, patience: int):
        super().__init__(rates)
        self._factor, self._patience = factor, patience
        self._best, self._waited = math.inf, 0  # epochs

    def end_epoch(self, val_loss: float) -> float:
        self._waited += 1
        if val_loss < self._best:
            self._best, self._waited = val_loss, 0
        elif self._waited >= self._patience:
            self._waited = 0
            return self._factor
        return 1.0


def constant(lr: float, steps: int) -> Schedule:
    """`lr` at each of the `steps`."""
    return Schedule(np.full(steps + 1, lr))


def cosine(lr: float, steps: int, *, warmup: float = 0.0) -> Schedule:
    """A straight climb to `lr` over the first `warmup` of the `steps`, then half a cosine down to 0.

    Raises: ConfigError if `warmup` is not a fraction below 1.
    Source: Loshchilov and Hutter 2017, arXiv:1608.03983.
    """
    _check_share("warmup", warmup)
    step, climb = np.arange(steps + 1), round(warmup * steps)
    first = 1 / max(1, climb)  # of the peak: the first step is to move, too
    up = lr * (first + (1 - first) * step / max(1, climb))
    down = lr * (1 + np.cos(np.pi * (step - climb) / max(1, steps - climb))) / 2
    return Schedule(np.where(step < climb, up, down))


def one_cycle(lr: float, steps: int, *, peak_at: float = 0.25, start: float = 0.1) -> Schedule:
    """A straight climb from `start` of `lr` to `lr` over the first `peak_at` of the `steps`, then a straight fall to 0.

    Raises: ConfigError if `peak_at` or `start` is not a fraction below 1.
    Source: Smith and Topin 2018, arXiv:1708.07120; the momentum stays as it is.
    """
    _check_share("peak_at", peak_at)
    _check_share("start", start)
    step, climb = np.arange(steps + 1), round(peak_at * steps)
    up = start + (1 - start) * step / max(1, climb)
    down = (steps - step) / max(1, steps - climb)
    return Schedule(lr * np.clip(np.minimum(up, down) if climb else down, 0, 1))


def step(lr: float, steps: int, *, factor: float = 0.1, at: Sequence[float] = (0.5, 0.75)) -> Schedule:
    """`lr`, multiplied by `factor` after each of the fractions `at` of the `steps`.

    Raises: ConfigError if `factor` or one of `at` is not a fraction below 1.
    """
    _check_share("factor", factor)
    for share in at:
        _check_share("at", share)
    step, drops = np.arange(steps + 1), [round(share * steps) for share in at]
    return Schedule(lr * factor ** sum((step > drop for drop in drops), np.zeros(steps + 1)))


def plateau(lr: float, steps: int, *, factor: float = 0.5, patience: int = 3) -> Plateau:
    """`lr`, multiplied by `factor` whenever the validation loss has not fallen for `patience` epochs.

    Raises: ConfigError if `factor` is not a fraction below 1 or `patience` not a count of epochs.
    """
    _check_share("factor", factor)
    if not isinstance(patience, int) or patience < 1:
        raise ConfigError(f"schedule.patience={patience}: not a count of epochs. Give a whole number from 1.")
    return Plateau(np.full(steps + 1, lr), factor, patience)


def _check_share(key: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ConfigError(f"schedule.{key}={value}: not a fraction. Give a number from 0 to below 1, for instance 0.1.")

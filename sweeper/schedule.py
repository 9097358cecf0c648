"""The learning rate of each step of a training, for any optimizer."""

from __future__ import annotations

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
    if not 0 <= warmup < 1:
        raise ConfigError(f"schedule.warmup={warmup}: not a part of the training. Give 0 to below 1, for instance 0.1.")
    climb = round(warmup * steps)
    if climb == 0:
        return schedules.CosineDecay(lr, steps)
    return schedules.CosineDecay(lr / climb, steps - climb, warmup_target=lr, warmup_steps=climb)

"""What the map's axes are: properties that a practitioner budgets, each cut into bins."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweeper.errors import ConfigError

Exact = Callable[[Sequence[Mapping[str, Any]]], np.ndarray]  # hyperparameters of n trials -> (n,)


@dataclass(frozen=True)
class Descriptor:
    name: str  # of a fact that a trial tells: parameters, latency_ms
    low: float  # the lower end of the first bin, in the descriptor's own unit
    high: float  # the upper end of the last one
    bins: int = 10
    log: bool = False  # bins of equal width in log space
    fn: Exact | None = None  # exact without a training; None: observed, and predicted until then

    def __post_init__(self):
        if not isinstance(self.bins, int) or not math.isfinite(self.low) or not math.isfinite(self.high):
            raise ConfigError(
                f"descriptor {self.name}: {self.bins} bins from {self.low} to {self.high}. "
                "Give a whole number of bins, and ends that are numbers."
            )
        if not self.low < self.high or self.bins < 1 or (self.log and self.low <= 0):
            line = "log " if self.log else ""
            raise ConfigError(
                f"descriptor {self.name}: {self.bins} {line}bins from {self.low} to {self.high}. "
                "Give low < high, at least one bin, and low > 0 where log is true."
            )

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """Any shape -> the same, 0 at `low` and 1 at `high`; beyond them less and more."""
        values = np.asarray(values, float)
        if not self.log:
            return (values - self.low) / (self.high - self.low)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(np.maximum(values, 0) / self.low) / np.log(self.high / self.low)

    def unscaled(self, scaled: np.ndarray) -> np.ndarray:
        if self.log:
            return self.low * (self.high / self.low) ** np.asarray(scaled, float)
        return self.low + np.asarray(scaled, float) * (self.high - self.low)

    def edges(self) -> np.ndarray:
        """(bins + 1,) ends of the bins."""
        inner = self.unscaled(np.linspace(0, 1, self.bins + 1)[1:-1])
        return np.array([self.low, *inner, self.high])


def chosen(
    given: Sequence[Descriptor] | Mapping[str, Mapping[str, Any]],
    axes: Sequence[str] | None,
    exact: Mapping[str, Exact],
) -> tuple[Descriptor, ...]:
    """The axes of a map: those of `given` that are named, or all.

    Raises: ConfigError if there is none, or one is named that is not given, or makes no sense.
    """
    if isinstance(axes, str):
        raise ConfigError(f"hydra.sweeper.sampler.axes={axes}: give a list, [{axes}].")
    if isinstance(given, Mapping):
        given = [_made(name, keys, exact.get(name)) for name, keys in given.items()]
    known = {descriptor.name: descriptor for descriptor in given}
    lacking = [name for name in axes or () if name not in known]
    if lacking:
        raise ConfigError(
            f"hydra.sweeper.sampler.axes: there is no range of {lacking[0]}, only of {', '.join(known)}. Give it one: "
            f"'+hydra.sweeper.sampler.descriptors.{lacking[0]}={{low: 1, high: 100, bins: 8, log: true}}'"
        )
    found = tuple(known[name] for name in (known if axes is None else axes))
    if not found:
        raise ConfigError("A map needs an axis: hydra.sweeper.sampler.axes=[parameters,mflops]")
    return found


def _made(name: str, keys: Mapping[str, Any], fn: Exact | None) -> Descriptor:
    try:
        return Descriptor(name, fn=fn, **keys)
    except TypeError as error:  # a key that is lacking, unknown or no number
        raise ConfigError(
            f"hydra.sweeper.sampler.descriptors.{name}: {error}. Give {{low: 1, high: 100, bins: 8, log: true}}."
        ) from None


def number(told: object) -> float:
    """What a trial told of a descriptor; NaN where that is no number."""
    return float(told) if isinstance(told, int | float) and not isinstance(told, bool) else math.nan


def cells(descriptors: Sequence[Descriptor], scaled: np.ndarray) -> np.ndarray:
    """(n, descriptors) scaled values -> (n,) numbers of cells, -1 where one is beyond its axis or unknown (NaN)."""
    scaled = np.asarray(scaled, float)
    inside = np.all((scaled >= 0) & (scaled <= 1), axis=1)
    bins = np.array([descriptor.bins for descriptor in descriptors])
    with np.errstate(invalid="ignore"):
        places = np.clip(np.nan_to_num(scaled) * bins, 0, bins - 1).astype(int)
    numbers = np.ravel_multi_index(tuple(places.T), tuple(bins))
    return np.where(inside, numbers, -1)


def shape(descriptors: Sequence[Descriptor]) -> tuple[int, ...]:
    """Of the map."""
    return tuple(descriptor.bins for descriptor in descriptors)

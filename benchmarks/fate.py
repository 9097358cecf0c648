"""How a simulated trial will go: its learning curve, its times, and what becomes of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from curves import Curves


@dataclass(frozen=True)
class Faults:
    """What goes wrong. Means and shares; hours and seconds of the simulation."""

    out_of_memory: float = 0.01  # of the trials, in their first epoch
    diverged: float = 0.01
    raised: float = 0.003
    hung: float = 0.003
    slot_hours: float = 50.0  # between two losses of one slot's process
    node_hours: float = 100.0  # between two losses of one node
    node: int = 8  # slots


@dataclass(frozen=True)
class Durations:
    """Medians of log-normal times. Seconds."""

    epoch: float = 60.0
    spread: float = 0.3  # of the logarithm: epochs of a trial differ, and trials do
    first: float = 10.0  # that the first epoch takes longer, to load and to trace
    last: float = 2.0  # from the last answer to the end: what is saved
    start: float = 60.0  # of a slot, at first and after a loss


_ENDS = ("out_of_memory", "diverged", "raised", "hung")  # the shares of Faults


@dataclass
class Trial:
    told: np.ndarray  # (epochs, metrics)
    pace: float  # seconds an epoch, about
    fault: str | None  # of Faults
    faulty: int  # the epoch of it
    facts: dict[str, Any] = field(default_factory=dict)
    epoch: int = 0  # the last one told
    best: float = -math.inf

    @property
    def fails_next(self) -> bool:
        return self.fault is not None and self.epoch + 1 == self.faulty


class Fate:
    """Draws it."""

    def __init__(self, curves: Curves, faults: Faults | None, durations: Durations, seed: int):
        """faults: None for none of them."""
        self.durations, self._faults = durations, faults
        self._curves, self._rng = curves, np.random.default_rng(seed)

    def of(self, overrides: Sequence[str]) -> Trial:
        params = {key: float(value) for key, value in (line.split("=") for line in overrides)}
        told = self._curves.of(params, self._rng)
        fault, epoch = self._fault(len(told)) if self._faults else (None, 0)
        return Trial(told, self.about(self.durations.epoch), fault, epoch, _facts(params))

    def _fault(self, epochs: int) -> tuple[str | None, int]:
        shares = [getattr(self._faults, end) for end in _ENDS]
        drawn = int(self._rng.choice(len(_ENDS) + 1, p=[*shares, 1 - sum(shares)]))
        fault = (*_ENDS, None)[drawn]
        return fault, 1 if fault == "out_of_memory" else int(self._rng.integers(1, epochs + 1))

    def about(self, seconds: float, part: float = 1.0) -> float:
        """part: of the usual spread."""
        return seconds * math.exp(part * self.durations.spread * self._rng.standard_normal())

    def hours(self, mean: float) -> float:
        """Until a loss that comes at any time. Seconds."""
        return 3600 * self._rng.exponential(mean)


def _facts(params: dict[str, float]) -> dict[str, Any]:
    """As a training of `custom` tells them."""
    filters, stride = params.get("model.filters", 8.0), params.get("model.stride", 1.0)
    return {
        "model": "custom",
        "dataset": "digits",
        "parameters": round(294 * filters**2),
        "mflops": 0.0048 * filters**2 / stride**2,
        "train_seconds": 720.0,
        "model_kb": 8.4 * 0.294 * filters**2,
        "steps_per_execution": 17,
    }

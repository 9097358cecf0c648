"""What a whole sweep will cost, from what its corners do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from sweeper.machine.energy import Power
from sweeper.planning.preflight import Measured


@dataclass(frozen=True)
class Forecast:
    """Seconds are those of a sweep in which no trial is pruned or stops early."""

    trials: int
    slots: int
    seconds: float
    fastest: float  # seconds, were all trials like the fastest corner
    slowest: float
    memory: int  # bytes, were the largest corner in every slot
    power: Power

    @property
    def watt_hours(self) -> float:
        return self.power.watts * self.seconds / 3600


def of(measured: Sequence[Measured], start_up: float, trials: int, slots: int, power: Power) -> Forecast:
    """measured: corners that ran, at least one. start_up: seconds until slots are ready."""

    def whole(trial: float) -> float:
        return start_up + trials * trial / slots

    seconds = [corner.seconds for corner in measured]
    memory = slots * max(corner.memory for corner in measured)
    return Forecast(trials, slots, whole(mean(seconds)), whole(min(seconds)), whole(max(seconds)), memory, power)

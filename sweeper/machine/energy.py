"""How many watts this machine draws while it trains: measured where it tells, else assumed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sweeper.machine import capacity

POWERCAP = Path("/sys/class/powercap")
WATTS_A_CORE = 10.0  # of a server's busy core with its share of memory, fans and power supply
_ZONES = ("package", "dram")  # a package holds its cores; `psys`, where there is one, would count both again


@dataclass(frozen=True)
class Power:
    watts: float
    source: str  # for the user: measured how, or assumed what


class Meter:
    """Remembers the highest power between any two calls of `sample`: while TensorFlow is imported, little is drawn."""

    def __init__(self, powercap: Path = POWERCAP):
        self._counters = list(_readable(powercap))
        self._before = {counter: _joules(counter) for counter in self._counters}, time.monotonic()
        self._processors = self._cards = 0.0  # watts

    def sample(self) -> None:
        if self._counters:
            self._sample_processors()
        self._cards = max(self._cards, _drawn_by_cards())

    def power(self, cores: int) -> Power:
        """cores: that train at the same time."""
        parts = [
            (self._processors, "RAPL for processors and memory")
            if self._processors
            else (cores * WATTS_A_CORE, f"an assumed {WATTS_A_CORE:g} W for each of {cores} cores")
        ]
        if self._cards:
            parts.append((self._cards, "nvidia-smi for the GPUs"))
        return Power(sum(watts for watts, _ in parts), " and ".join(source for _, source in parts))

    def _sample_processors(self) -> None:
        joules, now = {counter: _joules(counter) for counter in self._counters}, time.monotonic()
        before, then = self._before
        if now - then < 0.5:  # the counters move in steps of about a millisecond, and other samples are a second apart
            return
        used = sum(_difference(counter, before[counter], joules[counter]) for counter in self._counters)
        self._processors = max(self._processors, used / (now - then))
        self._before = joules, now


def _readable(powercap: Path) -> Iterator[Path]:
    """Folders of counters. Most systems let only root read them; a virtual machine seldom has any."""
    for name in sorted(powercap.glob("intel-rapl:*/name")):
        try:
            if name.read_text().startswith(_ZONES):
                _joules(name.parent)
                yield name.parent
        except (OSError, ValueError):
            continue


def _joules(counter: Path) -> float:
    return int((counter / "energy_uj").read_text()) / 1e6


def _difference(counter: Path, before: float, now: float) -> float:
    """A counter starts again from 0 at its end."""
    return now - before if now >= before else now - before + int((counter / "max_energy_range_uj").read_text()) / 1e6


def _drawn_by_cards() -> float:
    """Watts of all cards, 0 if they do not tell."""
    told = capacity.asked_of_cards("power.draw")
    return sum(float(line) for line in told if line.replace(".", "", 1).isdigit())

"""What time it is. The module `time` is such a clock; a simulation has one of its own."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    def time(self) -> float:
        """Seconds since 1970."""

    def monotonic(self) -> float:
        """Seconds, from any start; never goes back."""

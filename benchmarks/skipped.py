"""The clock of a simulation: it skips the time in which nothing but training would happen."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

SIMULATION = "simulation"  # the part of the work that no real sweep has
OTHER = "coordinator"  # all that no part is named of


class Clock:
    """Of a coordinator: goes on while that works, and jumps where it would wait. Belongs to the thread that made it.

    Work is what the processor spent on this thread, so other work on the machine makes nothing slower.
    """

    def __init__(self, slowdown: float = 1.0):
        """slowdown: seconds that pass while this thread works for one; 2: another thread wants the interpreter too."""
        self._now, self._slowdown = time.time(), slowdown
        self._mark, self._part = time.thread_time(), OTHER
        self.spent: defaultdict[str, float] = defaultdict(float)  # seconds of the processor by part

    def time(self) -> float:
        mark = time.thread_time()
        worked, self._mark = mark - self._mark, mark
        self.spent[self._part] += worked
        if self._part != SIMULATION:
            self._now += self._slowdown * worked
        return self._now

    monotonic = time

    def skip(self, until: float) -> None:
        self._now = max(self.time(), until)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What is done within counts as a part of its own."""
        self.time()
        before, self._part = self._part, name
        try:
            yield
        finally:
            self.time()
            self._part = before

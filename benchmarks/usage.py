"""What slots spend their time on."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Literal

State = Literal["down", "training", "waiting"]


class Usage:
    """Seconds that all slots together spent in each state, in whatever order they are told."""

    def __init__(self, slots: int):
        self._in: list[State] = ["down"] * slots
        self._slots = Counter(down=slots)
        self._ended: defaultdict[State, float] = defaultdict(float)  # less the times at which those now in it came

    def enter(self, slot: int, state: State, at: float) -> None:
        before = self._in[slot]
        self._ended[before] += at
        self._slots[before] -= 1
        self._ended[state] -= at
        self._slots[state] += 1
        self._in[slot] = state

    def state(self, slot: int) -> State:
        return self._in[slot]

    def until(self, now: float) -> dict[State, float]:
        return {state: self._ended[state] + self._slots[state] * now for state in ("training", "waiting")}

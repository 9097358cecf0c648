"""Slots that wait for work, and which of them to give it to: one that has done the like does it sooner."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from functools import partial
from typing import Any

from sweeper.records import lineage

_REMEMBERED = 4  # structures a slot: as many programs as it keeps
_WHOLE = ("seed", "trainer.epochs", *lineage.KEYS)  # whole numbers that a program does not hold


class Waiting:
    def __init__(self) -> None:
        self._slots: list[int] = []  # the one that has waited longest first
        self._trained: defaultdict[int, deque[frozenset]] = defaultdict(partial(deque, maxlen=_REMEMBERED))
        self._prepared: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._slots)

    def add(self, slot: int) -> None:
        self._slots.append(slot)

    def take_for(self, params: Mapping[str, Any]) -> int:
        """One for a trial, and remembers it there: first one that has trained a network of its structure, and has it
        traced; then one that has trained none; then the one that has waited longest.
        """
        structure = _structure(params)
        slot = max(self._slots, key=lambda slot: (structure in self._trained[slot], not self._trained[slot]))
        self._slots.remove(slot)
        known = self._trained[slot]
        if structure in known:
            known.remove(structure)
        known.append(structure)
        return slot

    def take_to_prepare(self) -> list[int]:
        """All that are not prepared yet for what comes after the trials."""
        taken = [slot for slot in self._slots if slot not in self._prepared]
        self._slots = [slot for slot in self._slots if slot in self._prepared]
        self._prepared.update(taken)
        return taken

    def take_prepared(self) -> int:
        """For what comes after the trials; an unprepared one if there is no other."""
        slot = max(self._slots, key=lambda slot: slot in self._prepared)
        self._slots.remove(slot)
        return slot

    def forget(self, slot: int) -> None:
        """Its process was lost, and all that it knew."""
        self._trained.pop(slot, None)
        self._prepared.discard(slot)
        if slot in self._slots:
            self._slots.remove(slot)


def _structure(params: Mapping[str, Any]) -> frozenset:
    """What may decide it: anything but a number between others, such as a rate."""
    deciding = {key: value for key, value in params.items() if not isinstance(value, float) and key not in _WHOLE}
    return frozenset((key, repr(value)) for key, value in deciding.items())

"""Which slot a trial goes to: one that has trained a network of its structure trains another without tracing it."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

_REMEMBERED = 4  # structures a slot: as many programs as it keeps


class Affinity:
    def __init__(self) -> None:
        self._trained: defaultdict[int, deque[frozenset]] = defaultdict(partial(deque, maxlen=_REMEMBERED))

    def choose(self, free: Sequence[int], params: Mapping[str, Any]) -> int:
        """One of the free slots for a trial, and remembers it there: first one that knows its structure, then one that
        knows none, then the one that has waited longest, which stands first.
        """
        structure = _structure(params)
        slot = max(free, key=lambda slot: (structure in self._trained[slot], not self._trained[slot]))
        known = self._trained[slot]
        if structure in known:
            known.remove(structure)
        known.append(structure)
        return slot

    def forget(self, slot: int) -> None:
        """Its process was lost, and all that it knew."""
        self._trained.pop(slot, None)


def _structure(params: Mapping[str, Any]) -> frozenset:
    """What may decide it: anything but a number between others, such as a rate."""
    return frozenset((key, value) for key, value in params.items() if not isinstance(value, float))

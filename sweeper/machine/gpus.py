"""The graphics cards that slots share: slot n has card n modulo their count, and each holds what keeps it busy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from sweeper.machine import capacity, hardware


class Gpus:
    def __init__(self, names: Sequence[str], known: bool):
        """names: as CUDA_VISIBLE_DEVICES has them; none on a machine without.

        known: the user said how many slots there are. Else a card has one until its first trial shows what it takes.
        """
        self.names = names
        self._unmeasured = set() if known else set(range(len(names)))
        self._busiest: defaultdict[int, float] = defaultdict(float)  # share of a moment, of the unmeasured ones
        self._made_room_for: set[int] = set()  # trials

    def of(self, slot: int) -> str | None:
        return self.names[slot % len(self.names)] if self.names else None

    def watch(self, busy: Collection[int]) -> None:
        """Once in a while: a card tells of its last moment only. busy: slots that train; no other card is asked."""
        watched = self._unmeasured & {slot % len(self.names) for slot in busy if self.names}
        shares = capacity.busy_cards() if watched else {}
        for card in watched:
            self._busiest[card] = max(self._busiest[card], shares.get(self.names[card], 0.0))

    def more(self, slot: int) -> Sequence[int]:
        """The slots that fit on its card beside it, if no other one has told before; it has seen all of an epoch."""
        cards = len(self.names)
        if not cards or slot % cards not in self._unmeasured:
            return ()
        card = slot % cards
        self._unmeasured.remove(card)
        fit = min(capacity.on_card(self.names[card], self._busiest[card]), hardware.cores() // cards)
        return range(card + cards, fit * cards, cards)

    def make_room(self, slot: int, slots: Collection[int], trial: int) -> bool:
        """Whether a trial that found no memory may have found too many others of `slots` on its card.

        One that finds none for a second time is itself too large.
        """
        cards = len(self.names)
        beside = [other for other in slots if cards and other % cards == slot % cards]
        if len(beside) < 2 or trial in self._made_room_for:
            return False
        self._made_room_for.add(trial)
        return True

"""Proposals that were trained before: their result is known, so it is told again and no slot spends time on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sweeper.records.events import TrialEnded
from sweeper.records.record import DUPLICATE_OF, Trial


class Duplicates:
    """The finished trials of a sweep by their parameters. What failed, was pruned or still runs is trained again."""

    def __init__(self, before: Iterable[Trial] = ()):
        """before: the trials that an earlier run of this sweep ended, when it is resumed."""
        self._first: dict[tuple, TrialEnded] = {}
        for trial in before:
            self.add(trial.params, TrialEnded(trial.number, trial.state, trial.values, None, trial.facts))

    def add(self, params: Mapping[str, Any], ended: TrialEnded) -> None:
        if ended.state == "FINISHED" and DUPLICATE_OF not in ended.facts:
            self._first.setdefault(_key(params), ended)

    def of(self, params: Mapping[str, Any]) -> TrialEnded | None:
        """How the first trial of these parameters ended, with the fact which one that was; None where there is none."""
        first = self._first.get(_key(params))
        if first is None:
            return None
        return TrialEnded(first.trial, "FINISHED", first.values, None, first.facts | {DUPLICATE_OF: first.trial})


def _key(params: Mapping[str, Any]) -> tuple:
    """1, 1.0 and True are equal in Python, and not the same override."""
    return tuple(sorted((key, repr(value)) for key, value in params.items()))

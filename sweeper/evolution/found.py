"""The schedule that a population found: what the best network was trained with, back to its beginning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sweeper.records import lineage
from sweeper.records.lineage import Place
from sweeper.records.record import Sweep, Trial


@dataclass(frozen=True)
class Steps:
    """A line that is level for a segment, and the trial of each of its points."""

    epochs: list[int | None]  # None: a gap
    values: list[Any]
    trials: list[int]

    @property
    def words(self) -> list[str | None]:
        """The values by their names; None: a gap."""
        return [
            None if epoch is None else "null" if value is None else str(value)
            for epoch, value in zip(self.epochs, self.values, strict=True)
        ]


@dataclass(frozen=True)
class Found:
    every: int  # epochs of a segment
    best: Sequence[Trial]  # the line of segments that ended in the best network
    members: Sequence[Sequence[Trial]]  # the segments of each life
    keys: tuple[str, ...]  # of the hyperparameters

    @cached_property
    def all(self) -> list[Trial]:
        return [trial for life in self.members for trial in life]

    def is_category(self, key: str) -> bool:
        """Whether some value of it is no number."""
        return any(type(trial.params[key]) not in (int, float) for trial in self.all if key in trial.params)

    def steps(self, trials: Sequence[Trial], key: str) -> Steps:
        """Of one life or line."""
        found = Steps([], [], [])
        for trial in trials:
            if key in trial.params:
                end = _place(trial).segment * self.every
                found.epochs.extend((end - self.every, end))
                found.values.extend([trial.params[key]] * 2)
                found.trials.extend([trial.number] * 2)
        return found

    def lives(self, key: str) -> Steps:
        """Of all members, with gaps between them."""
        found = Steps([], [], [])
        for life in self.members:
            own = self.steps(life, key)
            found.epochs.extend([*own.epochs, None])
            found.values.extend([*own.values, None])
            found.trials.extend([*own.trials, life[-1].number])
        return found

    def copies(self, key: str) -> Steps:
        """A point where each segment begins that went on from another member's state."""
        points = [trial for trial in self.all if _place(trial).is_copy and key in trial.params]
        begins = [(_place(trial).segment - 1) * self.every for trial in points]
        return Steps(begins, [trial.params[key] for trial in points], [trial.number for trial in points])


def of(sweep: Sweep) -> Found | None:
    """None if it is no population, or none of its segments has finished."""
    best = sweep.best
    if best is None or lineage.of(best.params) is None:
        return None
    every = int(best.facts.get("epochs", 0)) // _place(best).segment
    if every < 1:
        return None
    lives: dict[int, list[Trial]] = {}
    for trial in sorted(
        (trial for trial in sweep.trials if lineage.of(trial.params)), key=lambda one: _place(one).segment
    ):
        lives.setdefault(_place(trial).member, []).append(trial)
    keys = tuple(lineage.hyperparameters(best.params))
    return Found(every, lineage.ancestors(sweep.trials, best), [lives[member] for member in sorted(lives)], keys)


def _place(trial: Trial) -> Place:
    place = lineage.of(trial.params)
    assert place is not None
    return place

"""Where a trial of a population stands: which segment of which member's life it trains, and whose state that goes on
from. It is among the params of the trial, so journal, MLflow and the trial's own config all have it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.records.record import Sweep, Trial

MEMBER, SEGMENT, PARENT = KEYS = ("lineage.member", "lineage.segment", "lineage.parent")
SCORE = "score"  # a fact: the value of the segment's last epoch, whose state the next one goes on from
FOLDER = "lineage"  # in a sweep's folder: the states that segments may go on from


@dataclass(frozen=True)
class Place:
    member: int  # from 0
    segment: int  # of the member's life, from 1
    parent: int | None = None  # the member whose segment before it goes on from; None: from the beginning

    @property
    def before(self) -> tuple[int, int] | None:
        """Member and segment that it goes on from."""
        return None if self.parent is None else (self.parent, self.segment - 1)

    @property
    def is_copy(self) -> bool:
        """Whether it goes on from another member's state."""
        return self.parent not in (None, self.member)

    @property
    def params(self) -> dict[str, int | None]:
        return dict(zip(KEYS, (self.member, self.segment, self.parent), strict=True))


def of(params: Mapping[str, Any]) -> Place | None:
    """None for a trial that belongs to no population."""
    member, segment, parent = (params.get(key) for key in KEYS)
    is_whole = all(type(number) is int and number >= 0 for number in (member, segment))
    return Place(member, segment, parent if type(parent) is int else None) if is_whole else None


def is_population(sweep: Sweep) -> bool:
    return any(of(trial.params) for trial in sweep.trials)


def hyperparameters(params: Mapping[str, Any]) -> dict[str, Any]:
    """What was searched."""
    return {key: value for key, value in params.items() if key not in KEYS}


def ancestors(trials: Iterable[Trial], trial: Trial) -> list[Trial]:
    """The segments that led to the state this trial ended in, the first of a life first and the trial itself last."""
    standing = {(place.member, place.segment): one for one in trials if (place := of(one.params))}
    line, place = [trial], of(trial.params)
    while place and place.before in standing:
        line.insert(0, standing[place.before])
        place = of(line[0].params)
    return line


def state(sweep: Path, member: int, segment: int) -> Path:
    """The folder of what that segment of the member ended in. sweep: its folder."""
    return sweep / FOLDER / f"{member}-{segment}"


def read_by(params: Mapping[str, Any]) -> tuple[str, ...]:
    """The folders of states, in the sweep's, that a trial with these params goes on from."""
    place = of(params)
    return (str(state(Path(), *place.before)),) if place and place.before else ()

"""How a trial ended, made of the last thing that was heard of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from sweeper import text
from sweeper.engine.executor import Died, Done, Raised
from sweeper.records.events import TrialEnded
from sweeper.records.states import State


@dataclass(frozen=True)
class Outcome:
    state: State
    values: tuple[float, ...] | None = None  # one an objective
    reason: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    told: str | None = None  # of a failure: what helps the user most
    place: str | None = None  # of an exception: the same one again means the same mistake


INTERRUPTED = Outcome("INTERRUPTED", reason="the sweep ended before the trial did")


def taken_over(by: str) -> Outcome:
    """by: another coordinator of the study."""
    return Outcome("TAKEN_OVER", reason=f"{by} has taken it over")


def deadly(losses: int) -> Outcome:
    """losses: coordinators that were lost with it. The next one would be, too."""
    return Outcome("KILLED", reason=f"{text.count(losses, 'sweep')} lost with it: none begins it again")


def done(heard: Done, objectives: int, pruned_at: int | None) -> Outcome:
    """objectives: how many there are. pruned_at: the epoch after which it was asked to stop."""
    if pruned_at is not None:
        return Outcome("PRUNED", heard.values, f"behind the other trials at epoch {pruned_at}", heard.facts)
    if len(heard.values) != objectives:
        returned = f"the task returned {len(heard.values)} values for {objectives} of hydra.sweeper.direction"
        return Outcome("FAILED", reason=returned)
    if any(math.isnan(value) for value in heard.values):
        return Outcome("DIVERGED", reason="the task returned nan", facts=heard.facts)
    return Outcome("FINISHED", heard.values, facts=heard.facts)


def raised(heard: Raised) -> Outcome:
    return Outcome(heard.state, reason=heard.reason, told=heard.told, place=heard.place)


def died(heard: Died, crashes: int, max_retries: int) -> Outcome:
    """crashes: those of the trial before. By chance its process was lost, and it starts again, or by its own fault."""
    if heard.state != "KILLED":
        return Outcome(heard.state, reason=heard.reason)
    if crashes >= max_retries and not heard.by_us:
        return Outcome("KILLED", reason=f"its process was lost {crashes + 1} times ({heard.reason})")
    return Outcome("CRASHED", reason=f"its process was lost ({heard.reason}); it starts again")


def hung(patience: float) -> Outcome:
    """patience: seconds."""
    reason = f"no epoch within hydra.sweeper.trial_timeout={patience:g} seconds; it was stopped"
    return Outcome("HUNG", reason=reason)


def repeated(same: TrialEnded) -> Outcome:
    """same: how a trial of the same parameters ended."""
    return Outcome("FINISHED", same.values, f"the same as trial {same.trial}, which was trained", same.facts)

"""What came of a map's promises: what was got for what was promised, as lines, in one sentence, and as a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweeper import drawing, text
from sweeper.drawing import BLUE, GRAY
from sweeper.ranking import promises
from sweeper.ranking.promises import Promise
from sweeper.records.record import Sweep, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Kept:
    promise: Promise
    trial: Trial
    rising: bool  # more is better

    @property
    def got(self) -> float | None:
        """None if it was not trained to its end."""
        return self.trial.values[0] if self.trial.state == "FINISHED" else None

    @property
    def lands(self) -> bool:
        """In the promised cell."""
        return self.promise.holds(self.trial)

    @property
    def beats(self) -> bool:
        """The elite that was in that cell, if there was one."""
        if self.got is None or self.promise.elite is None:
            return self.got is not None
        return self.got > self.promise.elite if self.rising else self.got < self.promise.elite

    @property
    def improves(self) -> bool:
        """The map."""
        return self.lands and self.beats


def of(made: Iterable[Promise], sweep: Sweep) -> list[Kept]:
    """Those that a trial has come of."""
    rising = sweep.started.directions[0] == "maximize"
    trials = ((promise, promises.trial_of(promise, sweep)) for promise in made)
    return [Kept(promise, trial, rising) for promise, trial in trials if trial is not None]


def summary(kept: Sequence[Kept], metric: str) -> str:
    errors = [abs(one.got - one.promise.value) for one in kept if one.got is not None]
    improved = sum(one.improves for one in kept)
    error = f"mean absolute error of {metric} {text.value(sum(errors) / len(errors))}" if errors else "none was trained"
    return f"{improved} of {text.count(len(kept), 'cell')} improved, {error}"


def draw(kept: Sequence[Kept], metric: str, new: int) -> Figure:
    """Promised against got, with the diagonal on which they are equal. new: the round that is named by its trials."""
    figure = drawing.blank(5.2, 5.0)
    axis = figure.subplots()
    for is_new, colour, label in ((False, GRAY, "earlier"), (True, BLUE, "now")):
        shown = [one for one in kept if one.got is not None and (one.promise.round == new) == is_new]
        x, y = [one.promise.value for one in shown], [one.got for one in shown]
        deviations = [one.promise.deviation for one in shown]
        if shown:
            axis.errorbar(x, y, xerr=deviations, fmt="o", color=colour, elinewidth=0.8, markersize=4, label=label)
        for one in shown if is_new else ():
            place = one.promise.value, one.got
            axis.annotate(str(one.trial.number), place, (5, 4), textcoords="offset points", fontsize=8)
    values = [value for one in kept if one.got is not None for value in (one.got, one.promise.value)]
    if values:
        axis.axline((min(values), min(values)), slope=1, color=GRAY, linewidth=0.8, linestyle="--")
    axis.set(xlabel=f"{metric} promised, ± a deviation", ylabel="got", aspect="equal", adjustable="datalim")
    if len({one.promise.round for one in kept}) > 1:
        axis.legend(frameon=False, fontsize=8)
    return figure

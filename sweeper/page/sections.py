"""The sections of a report: of each what it shows, or in a sentence why it cannot. None: it makes no sense here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sweeper.page import board
from sweeper.page.page import Grid, Panel, Section, Words
from sweeper.page.seen import Seen

FEW = 10  # finished trials, from which on their best tenth is one

Make = Callable[[Seen], Section | None]  # a section


def leaderboard(seen: Seen) -> Section:
    tables = [board.table(seen, standing) for standing in seen.standings]
    blocks = [
        block
        for table, standing in zip(tables, seen.standings, strict=True)
        for block in ([Words(standing.title)] if len(tables) > 1 else []) + [table]
    ]
    lead = "A click on a column sorts, one on a trial shows its parameters, its command and what became of it."
    return Section("leaderboard", "Leaderboard", blocks or [Words("No trial has begun.")], lead if blocks else "")


def history(seen: Seen) -> Section | None:
    from sweeper.page import charts

    if seen.searched and not seen.sweep.finished:
        return Section("history", "History", [Words(f"No trial has finished: {_counted(seen)}.")])
    lead = "The value of each finished trial in the order of their start, and the best one until then."
    return _by_objective(seen, "history", "History", lead, lambda place: [charts.history(seen, place)])


def front(seen: Seen) -> Section | None:
    from sweeper.page import front

    if len(seen.objectives) < 2 or not seen.sweep.finished:
        return None
    best = seen.front
    if not best:
        return Section("front", "Pareto front", [Words("No finished trial meets the constraints.")])
    lead = f"No other trial beats these in every objective: {', '.join(str(trial.number) for trial in best)}."
    return Section("front", "Pareto front", [Grid(front.charts(seen), wide=True)], lead)


def importance(seen: Seen) -> Section | None:
    from sweeper.page import charts

    def drawn(place: int) -> Sequence[Any]:
        measured = len(seen.measured(place))
        if measured < FEW:
            return [Words(f"{measured} finished: to tell what matters takes {FEW} finished trials at least.")]
        return [charts.importances(seen, place)]

    lead = (
        "How much the best tenth of the finished trials differs from all of them in each parameter (PED-ANOVA). The "
        "shares of all add up to 1."
    )
    return _by_parameter(seen, "importance", "Parameter importance", lead, drawn)


def coordinates(seen: Seen) -> Section | None:
    from sweeper.page import parallel

    def drawn(place: int) -> Sequence[Any]:
        enough = len(seen.measured(place)) > 1
        return [parallel.coordinates(seen, place) if enough else Words("One trial has finished: nothing to compare.")]

    lead = "A line a finished trial; the stronger its colour, the better it was."
    if len(seen.sweep.finished) > parallel.LINES:
        lead += f" The best {parallel.LINES:,} of {len(seen.sweep.finished):,}."
    return _by_parameter(seen, "parallel", "Parallel coordinates", lead, drawn)


def slices(seen: Seen) -> Section | None:
    from sweeper.page import charts

    lead = "The values of the finished trials by each parameter alone; the stronger the colour, the later the trial."
    return _by_parameter(seen, "slices", "Slices", lead, lambda place: [Grid(charts.slices(seen, place))])


def learning(seen: Seen) -> Section:
    from sweeper.page import curves

    title = "Learning curves"
    if not any(trial.curve for trial in seen.sweep.trials):
        return Section("curves", title, [Words("No trial has reported an epoch.")])
    shown = seen.best or seen.sweep.trials[0]
    blocks: list[Any] = [curves.of_all(seen)] if len(seen.sweep.trials) > 1 else []
    own = curves.of_one(shown)
    if own:
        name = f"Trial {shown.number}{', the best' if shown is seen.best else ''}: each metric by epoch"
        blocks.append(Panel(name, [Grid(own)]) if blocks else Grid(own))
    return Section("curves", title, blocks)


def _by_parameter(seen: Seen, id: str, title: str, lead: str, drawn: Callable[[int], Sequence[Any]]) -> Section | None:
    """Where a finished trial has one. That none has finished, the history says."""
    return _by_objective(seen, id, title, lead, drawn) if any(trial.params for trial in seen.ranked) else None


def _by_objective(seen: Seen, id: str, title: str, lead: str, drawn: Callable[[int], Sequence[Any]]) -> Section | None:
    """A panel an objective where there are several. drawn: place of an objective -> its blocks."""
    if not seen.searched:
        return None
    found = [
        drawn(place) if seen.measured(place) else [Words("No trial has a finite value.")]
        for place in range(len(seen.objectives))
    ]
    if len(found) == 1:
        return Section(id, title, found[0], lead)
    panels = [
        Panel(name, blocks, open=place == 0)
        for place, (name, blocks) in enumerate(zip(seen.objectives, found, strict=True))
    ]
    return Section(id, title, panels, lead)


def _counted(seen: Seen) -> str:
    return "; ".join(standing.counts for standing in seen.standings) or "none has begun"

"""The sections of a report: of each what it shows, or in a sentence why it cannot. None: it makes no sense here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sweeper import text
from sweeper.page import board
from sweeper.page.page import Cell, Grid, Line, Panel, Section, Table, Words
from sweeper.page.seen import Seen
from sweeper.records import states
from sweeper.records.record import Trial
from sweeper.search import constraints

FEW = 10  # finished trials, from which on their best tenth is one
MOST = 40  # trials that are listed

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

    lead = "The value of each finished trial in the order of their start, and the best one until then."
    return _by_objective(seen, "history", "History", lead, lambda place: [charts.history(seen, place)])


def front(seen: Seen) -> Section | None:
    from sweeper.page import front

    if len(seen.objectives) < 2:
        return None
    best = seen.front
    if not best:
        why = "No finished trial meets the constraints." if seen.sweep.finished else "No trial has finished."
        return Section("front", "Pareto front", [Words(why)])
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
    return _by_objective(seen, "importance", "Parameter importance", lead, drawn)


def coordinates(seen: Seen) -> Section | None:
    from sweeper.page import parallel

    def drawn(place: int) -> Sequence[Any]:
        enough = len(seen.measured(place)) > 1
        return [parallel.coordinates(seen, place) if enough else Words("One trial has finished: nothing to compare.")]

    lead = "A line a finished trial; the stronger its colour, the better it was."
    if len(seen.sweep.finished) > parallel.LINES:
        lead += f" The best {parallel.LINES:,} of {len(seen.sweep.finished):,}."
    return _by_objective(seen, "parallel", "Parallel coordinates", lead, drawn)


def slices(seen: Seen) -> Section | None:
    from sweeper.page import charts

    lead = "The values of the finished trials by each parameter alone; the stronger the colour, the later the trial."
    return _by_objective(seen, "slices", "Slices", lead, lambda place: [Grid(charts.slices(seen, place))])


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


def failures(seen: Seen) -> Section | None:
    failed: dict[tuple[str, str], list[Trial]] = {}
    for trial in seen.sweep.trials:
        if trial.state in (*states.FAILURES, "CRASHED") or trial.missed:
            reason = trial.reason or constraints.reason(trial.missed, trial.facts)
            kind = "infeasible" if trial.state == "FINISHED" else states.label(trial.state)
            failed.setdefault((kind, text.first_line(reason) or "no reason was told"), []).append(trial)
    if not failed:
        return Section("failures", "Failures", [Words("None.")]) if len(seen.sweep.trials) > 1 else None
    lines = [
        Line(
            (
                Cell(kind, style="state", colour=board.colour(trials[0].state)),
                Cell(str(len(trials)), len(trials), "number"),
                Cell(reason, style="long"),
                Cell(_listed(trials), style="long"),
            )
        )
        for (kind, reason), trials in sorted(failed.items(), key=lambda item: -len(item[1]))
    ]
    head = (Cell("state"), Cell("trials", style="number"), Cell("reason"), Cell("which"))
    lead = "A click on such a trial in the leaderboard shows its whole reason."
    return Section("failures", "Failures", [Table("Failed trials by their reason", head, lines)], lead)


def _listed(trials: Sequence[Trial]) -> str:
    more = f" and {len(trials) - MOST} more" if len(trials) > MOST else ""
    return ", ".join(str(trial.number) for trial in trials[:MOST]) + more


def _by_objective(seen: Seen, id: str, title: str, lead: str, drawn: Callable[[int], Sequence[Any]]) -> Section | None:
    """A panel an objective where there are several. drawn: place of an objective -> its blocks."""
    if not seen.searched:
        return None
    if not seen.sweep.finished:
        return Section(id, title, [Words(f"No trial has finished: {_counted(seen)}.")])
    if not any(trial.params for trial in seen.ranked):
        return Section(id, title, [Words("No parameter was searched.")])
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

"""The head of a report: which sweep it is, how far it is, and what came out."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from sweeper import text
from sweeper.page import board
from sweeper.page.page import Head, Tile
from sweeper.page.seen import Seen
from sweeper.records.record import Trial
from sweeper.search import constraints


def of(seen: Seen, now: datetime) -> Head:
    sweep = seen.sweep
    words = {row.state: row.trial.state for row in seen.rows}
    counts = Counter(row.state for row in seen.rows)
    shares = [(state, count, board.colour(words[state])) for state, count in counts.items()]
    what = "Sweep" if seen.searched else "Training"
    return Head(f"{what} {sweep.id}", *_state(seen), _facts(seen, now), _tiles(seen), shares, _notes(seen))


def _state(seen: Seen) -> tuple[str, str]:
    """In words, and the variable of its colour."""
    if seen.running:
        return "runs now", board.colour("RUNNING")
    if seen.sweep.ended is None:
        return "was killed", board.colour("KILLED")
    return seen.sweep.ended.state.lower(), board.colour(seen.sweep.ended.state)


def _facts(seen: Seen, now: datetime) -> list[str]:
    begun = min((trial.started for trial in seen.sweep.trials), default=seen.sweep.started.time)
    datasets = dict.fromkeys(standing.dataset for standing in seen.standings if standing.dataset)
    models = dict.fromkeys(row.model for row in seen.rows if row.model)
    better = ("more" if rises else "less" for rises in seen.rising)
    return [
        f"begun {datetime.fromtimestamp(begun):%Y-%m-%d %H:%M}",
        *(f"data set {', '.join(names)}" for names in [datasets] if names),
        *(f"model {', '.join(names)}" for names in [models] if names),
        *(f"{name}: {which} is better" for name, which in zip(seen.objectives, better, strict=True)),
        f"page of {now:%Y-%m-%d %H:%M}",
    ]


def _tiles(seen: Seen) -> list[Tile]:
    sweep, best = seen.sweep, seen.best
    trials = [Tile("trials", str(len(sweep.trials)), f"of {sweep.started.n_trials}")] if seen.searched else []
    trained = Tile("trained", text.duration(sum(trial.seconds for trial in sweep.trials)), "in all")
    return [*(_of_best(best, seen) if best and seen.objectives else []), *trials, trained]


def _of_best(best: Trial, seen: Seen) -> list[Tile]:
    first, *others = zip(seen.objectives, map(text.value, best.values), strict=True)
    tiles = [Tile(f"best {first[0]}", first[1], f"trial {best.number}" if seen.searched else "")]
    tiles += [Tile(f"its {name}", value) for name, value in others]
    tested = best.tested.metrics if best.tested else {}
    return tiles + [Tile(f"its {name.replace('_', ' ')}", text.value(value)) for name, value in tested.items()]


def _notes(seen: Seen) -> list[str]:
    """What the reader must know first."""
    sweep, notes = seen.sweep, []
    if seen.running:
        notes.append(f"The sweep runs: {len(sweep.open)} of its trials are open. Make this page again to see more.")
    elif sweep.ended is None:
        notes.append("Its process was lost before the end.")
    elif sweep.ended.reason:
        notes.append(sweep.ended.reason)
    if seen.best and seen.best.missed:
        nearest = constraints.reason(seen.best.missed, seen.best.facts)
        notes.append(f"No trial meets the constraints. The nearest one, {seen.best.number}, {nearest}.")
    return notes

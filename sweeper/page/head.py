"""The head of a report: which sweep it is, how far it is, and what came out."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from sweeper import text
from sweeper.page.page import Head, Tile
from sweeper.page.seen import Seen
from sweeper.records import states
from sweeper.records.record import Trial
from sweeper.search import constraints


def of(seen: Seen, now: datetime) -> Head:
    sweep = seen.sweep
    counts = Counter((row.state, f"--{row.colour}") for row in seen.rows)
    shares = [(state, count, colour) for (state, colour), count in counts.items()]
    title = f"{_what(seen)} {sweep.id}"
    return Head(title, *_state(seen), _facts(seen, now), _tiles(seen), shares, _notes(seen))


def _what(seen: Seen) -> str:
    return "Sweep" if seen.searched else "Training"


def _state(seen: Seen) -> tuple[str, str]:
    """In words, and the variable of its colour."""
    if seen.running:
        words, state = "runs now", "RUNNING"
    elif seen.sweep.ended is None:
        words, state = "was killed", "KILLED"
    else:
        words, state = seen.sweep.ended.state.lower(), seen.sweep.ended.state
    return words, f"--{states.colour(state)}"


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
    trials = [Tile("trials", f"{len(sweep.trials):,}", f"of {sweep.started.n_trials:,}")] if seen.searched else []
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
        notes.append(f"The {_what(seen).lower()} runs{_open(seen)}. Make this page again to see more.")
    elif sweep.ended is None:
        notes.append("Its process was lost before the end.")
    elif sweep.ended.reason:
        notes.append(sweep.ended.reason)
    if seen.best and seen.best.missed:
        nearest = constraints.reason(seen.best.missed, seen.best.facts)
        notes.append(f"No trial meets the constraints. The nearest one, {seen.best.number}, {nearest}.")
    return notes


def _open(seen: Seen) -> str:
    sweep = seen.sweep
    if not seen.searched:
        return ""
    if sweep.open:
        return f": {len(sweep.open)} of its trials {'is' if len(sweep.open) == 1 else 'are'} open"
    if len(sweep.trials) < sweep.started.n_trials:
        return ": its next trial has not begun"
    return ": all of its trials have ended, but not what follows them, such as the test of the best network"

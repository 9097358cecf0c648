"""`python -m sweeper verify`: the cells of the map that promise most are trained, and what came is laid beside it.

It types the sweep's own command again: what it trains joins the sweep, as if that had gone on.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import replace

from rich.console import Console
from rich.table import Table

from sweeper import drawing, text
from sweeper.commands import again
from sweeper.engine import resume
from sweeper.errors import ConfigError
from sweeper.ranking import axes, kept, promises
from sweeper.ranking.kept import Kept
from sweeper.ranking.promises import Promise
from sweeper.records import journal, lineage, record, sweeps
from sweeper.records.record import Sweep

PICTURE = "verify.png"
# Beside those that decide how a trial is trained: what else it must be like those before it for.
_JOINING = tuple(
    f"hydra.sweeper.{key}=" for key in ("max_failure_rate", "reuse_duplicates", "constraints", "test", "study_name")
)
_OF_MAP = ("hydra/sweeper/sampler=", "hydra.sweeper.sampler.")


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        "Trains the cells of a sweep's map that promise most: where the best untrained candidate is expected to be "
        "furthest above the elite, or, in an empty cell, above the worst trial. What is trained joins the sweep, "
        "without pruning. Tells what was promised and what was got; when piped, tab-separated. What was killed goes "
        f"on with the same command. Promises lie in {promises.NAME} of the sweep's folder, a picture in {PICTURE}."
    )
    parser.add_argument("--cells", metavar="N", type=int, default=5, help="to train (default: 5)")
    axes.add_arguments(parser)
    again.add_arguments(parser)


def run(args: Namespace) -> int:
    """Raises: ConfigError if there is no such sweep, it runs or was broken off, or it promises nothing."""
    if args.cells < 1:
        raise ConfigError(f"--cells {args.cells}: give the number of cells to train, from 1.")
    again.check_settings(args.overrides)
    sweep = record.read(resume.find(args.sweep or resume.LATEST), curves=False)
    if journal.in_use(sweep.folder):
        name = sweeps.name(sweep.folder)
        raise ConfigError(f"Sweep {sweep.id} runs now. Wait for its end, or end it: python -m sweeper stop {name}")
    if lineage.is_population(sweep):
        raise ConfigError(f"Sweep {sweep.id} is a population, whose trials go on from each other: none stands alone.")
    made = promises.read(sweep.folder)
    latest = promises.latest(made)
    _check_ended(sweep, latest)
    if all(promise.trial is not None for promise in latest):
        latest = _promised(sweep, args, promises.next_round(made))
        made += latest
        if not latest:
            print(f"Nothing is expected to be better than what sweep {sweep.id} has in each cell.")
            return 0
    else:
        print(f"Goes on with {text.count(len(latest), 'cell')} that it has promised before.", file=sys.stderr)
    pending = promises.pending(latest, sweep)
    if pending or sweep.ended is None:
        _train(sweep, pending, args.overrides)
        sweep = record.read(sweep.folder, curves=False)
    return _told(sweep, made, latest)


def _check_ended(sweep: Sweep, latest: Sequence[Promise]) -> None:
    """Raises: ConfigError if it would go on with more than was promised."""
    own = [trial for promise in latest if (trial := promises.trial_of(promise, sweep))]
    left = [trial for trial in sweep.open if trial not in own]
    if left:
        from sweeper.ranking import results

        numbers = ", ".join(str(trial.number) for trial in left)
        raise ConfigError(
            f"Sweep {sweep.id} was broken off in trial {numbers}. Go on with it first; with hydra.sweeper.n_trials="
            f"{len(sweep.trials)} it ends with what has begun:\n  {results.resuming(sweep)}"
        )


def _promised(sweep: Sweep, args: Namespace, round: int) -> list[Promise]:
    """New ones, on the disk. Raises: ConfigError if too little was trained to expect anything."""
    from sweeper.ranking import atlas  # Optuna starts here

    drawn = atlas.of(sweep, axes.of(sweep, args.by, args.bins))
    if drawn.expected is None:
        raise ConfigError(
            f"Sweep {sweep.id} has {text.count(len(sweep.finished), 'finished trial')}: of less than {axes.FEWEST} "
            "nothing is expected. Give it more: hydra.sweeper.resume and a larger hydra.sweeper.n_trials."
        )
    chosen = promises.chosen(drawn, args.cells, round)
    promises.write(sweep.folder, chosen)
    return chosen


def _train(sweep: Sweep, pending: Sequence[Promise], overrides: Sequence[str]) -> None:
    """Leaves by SystemExit if not all were."""
    from sweeper import app  # Optuna starts here
    from sweeper.search import enqueue

    fresh = sum(promises.trial_of(promise, sweep) is None for promise in pending)
    is_map = bool(axes.recorded(sweep))
    wanted = [
        *(() if is_map else ("hydra/sweeper/sampler=tpe",)),  # any: all is chosen. But SAIL keeps what its map is of
        "hydra/sweeper/pruner=none",
        f"hydra.sweeper.n_trials={len(sweep.trials) + fresh}",
        enqueue.override(promise.params for promise in pending),
    ]
    settings = (*again.TRAINING, *_JOINING, *(_OF_MAP if is_map else ()))
    sys.argv[1:] = again.typed(sweep, "Verify it", settings, wanted, overrides)
    with nullcontext() if sys.stdout.isatty() else redirect_stdout(sys.stderr):  # a pipe gets the table alone
        app.main()


def _told(sweep: Sweep, made: Sequence[Promise], latest: Sequence[Promise]) -> int:
    """Shows what came, and notes that it was shown."""

    metric, came = sweep.started.metric, kept.of(latest, sweep)
    out = sweep.folder / PICTURE
    drawing.save(kept.draw(kept.of(made, sweep), metric, latest[0].round), out)
    _show(came, Console(highlight=False))
    left = promises.pending(latest, sweep)
    if left:
        name = sweeps.name(sweep.folder)
        print(f"{text.count(len(left), 'cell')} not trained yet: python -m sweeper verify --sweep {name}")
        return 1
    print(f"{kept.summary(came, metric)} -> {out}")
    promises.write(sweep.folder, [replace(one.promise, trial=one.trial.number) for one in came])
    return 0


def _show(came: Sequence[Kept], console: Console) -> None:
    if not console.is_terminal:
        for one in came:
            print(*map(text.printable, _cells(one)), sep="\t")
        return
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("trial", "promised", "got", "elite", *(came[0].promise.low if came else ())):
        grid.add_column(title, justify="right", no_wrap=True, overflow="ellipsis")
    for one in came:
        grid.add_row(*map(text.printable, _words(one)), style="green" if one.improves else "")
    console.print(grid)


def _words(one: Kept) -> list[str]:
    """For people: of each axis, what the trial costs and whether that is within the cell's ends."""
    promise = one.promise
    return [
        str(one.trial.number),
        f"{text.value(promise.value)} ± {promise.deviation:.2g}",
        _got(one),
        "none" if promise.elite is None else f"{'beats' if one.beats else 'below'} {text.value(promise.elite)}",
        *(_placed(one, name) for name in promise.low),
    ]


def _placed(one: Kept, name: str) -> str:
    low, high, cost = one.promise.low[name], one.promise.high[name], one.trial.number_of(name)
    is_in = cost is not None and low <= cost <= high
    ends = f"{_short(low)}-{_short(high)}"
    return f"{'?' if cost is None else _short(cost)}{' in' if is_in else ', not'} {ends}"


def _cells(one: Kept) -> list[str]:
    """For programs: of each axis the cell's ends, then promised, deviation, got, the trial's costs, whether it lands
    there, the elite's value, whether it beats it, the trial, its hyperparameters."""
    promise = one.promise
    return [
        *(f"{end:g}" for name in promise.low for end in (promise.low[name], promise.high[name])),
        text.value(promise.value),
        text.value(promise.deviation),
        _got(one),
        *(f"{one.trial.facts.get(name, '')}" for name in promise.low),
        _yes(one.lands),
        "" if promise.elite is None else text.value(promise.elite),
        _yes(one.beats),
        str(one.trial.number),
        text.params(promise.params),
    ]


def _got(one: Kept) -> str:
    return one.trial.state.lower() if one.got is None else text.value(one.got)


def _short(number: float) -> str:
    """In two digits."""
    rounded = float(f"{number:.2g}")
    return text.size(round(rounded)) if number >= 1000 else f"{rounded:g}"


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"

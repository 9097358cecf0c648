"""`python -m sweeper best`: the best network within budgets, how sure its accuracy is, and how to export it."""

from __future__ import annotations

import math
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Mapping

from sweeper import text
from sweeper.config import command
from sweeper.errors import ConfigError
from sweeper.records import lineage, record, sweeps
from sweeper.records.record import Sweep, Trial


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        "Names the best finished trial of a sweep that keeps to budgets, its accuracy with an interval if a "
        "confirmation has judged it, and what to type next."
    )
    parser.add_argument(
        "--max",
        metavar="FACT=NUMBER",
        nargs="+",
        action="extend",
        default=[],
        help="of what trials tell: parameters=50000 mflops=2 latency_ms=1.5",
    )
    parser.add_argument("--sweep", metavar="ID", help="its folder's name or path (default: the latest)")


def run(args: Namespace) -> int:
    """Raises: ConfigError if there is no such sweep, or no trial of it keeps to the budgets."""
    budgets = dict(map(_budget, args.max))
    sweep = sweeps.find(args.sweep)
    for line in _told(sweep, within(sweep, budgets), budgets):
        print(text.printable(line))
    return 0


def within(sweep: Sweep, budgets: Mapping[str, float]) -> Trial:
    """The best trial that has at most so much of each fact."""
    for trial in sweep.ranked():
        if all(_cost(trial, name) <= most for name, most in budgets.items()):
            return trial
    if not sweep.ranked():
        raise ConfigError(f"Sweep {sweep.id} has no finished trial yet: python -m sweeper status {sweep.id}")
    asked = ", ".join(f"{name} <= {most:g}" for name, most in budgets.items())
    raise ConfigError(
        f"No finished trial of sweep {sweep.id} keeps to {asked}. "
        f"{' '.join(_least(sweep, budgets))} Raise that, or search for smaller networks."
    )


def _told(sweep: Sweep, trial: Trial, budgets: Mapping[str, float]) -> Iterator[str]:
    names = sweep.started.metric.replace(",", ", ")
    yield f"Trial {trial.number} of {sweep.id}: {names} {' '.join(map(text.value, trial.values))}"
    yield f"  {text.params(trial.params)}"
    if budgets:
        yield "  " + ", ".join(f"{name} {trial.facts[name]:g} of {most:g}" for name, most in budgets.items())
    name = sweeps.name(sweep.folder)
    if not lineage.of(trial.params):  # a segment of a population is never trained with other seeds
        confirm = f"python -m sweeper confirm --sweep {name} --trials {trial.number}"
        yield f"  {_confirmed(sweep, trial) or f'not confirmed: {confirm}'}"
    if trial.model.exists():
        yield command.exporting(f"{name}/{trial.number}", sweep.started.allow)
    else:
        yield f"Only the best networks were kept. To train it again: {trial.command}"


def _confirmed(sweep: Sweep, trial: Trial) -> str | None:
    anew = record.confirmation(sweep.folder)
    if anew is None:
        return None
    from sweeper.confirmation import verdict  # Optuna starts here

    found = verdict.of(sweep, anew)
    for row in found.ranked:
        if row.trial.number == trial.number:
            seeds = text.count(row.estimate.count, "fresh seed")
            mean, margin = text.value(row.estimate.mean), text.value(row.estimate.margin)
            return f"confirmed: {found.metric} {mean} ± {margin}, {seeds}"
    return None


def _budget(typed: str) -> tuple[str, float]:
    name, equals, number = typed.partition("=")
    try:
        most = float(number)
    except ValueError:
        most = math.nan
    if not (name and equals) or math.isnan(most):
        raise ConfigError(f"--max {typed}: give a fact and a number, --max parameters=50000")
    return name, most


def _cost(trial: Trial, name: str) -> float:
    """Infinite where it is not known."""
    told = trial.number_of(name)
    return math.inf if told is None else told


def _least(sweep: Sweep, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        trial = min(sweep.ranked(), key=lambda trial: _cost(trial, name))
        least = _cost(trial, name)
        if math.isinf(least):
            known = ", ".join(sorted(fact for fact in trial.facts if trial.number_of(fact) is not None))
            yield f"No trial tells {name}; they tell {known or 'nothing'}."
        else:
            yield f"The least {name} is {least:g}, of trial {trial.number}."

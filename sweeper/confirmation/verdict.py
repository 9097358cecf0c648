"""What a confirmation says: candidates ranked by the test data, and whether the first is ahead by more than chance."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from sweeper import text
from sweeper.confirmation import changes
from sweeper.confirmation.confidence import ALPHA, Comparison, Estimate, compare, estimate, holm
from sweeper.records.record import Sweep, Trial, losses
from sweeper.records.states import OPEN, label
from sweeper.search.retrainings import CANDIDATE, SEED
from sweeper.training import objectives


@dataclass(frozen=True)
class Row:
    """A candidate. Estimates are None with fewer than two finished trainings: there is no interval then."""

    trial: Trial  # of the search
    trainings: tuple[Trial, ...]  # with fresh seeds
    searched: float  # what the search saw
    validated: Estimate | None  # the same metric, with fresh seeds
    judged: dict[int, float]  # the metric that decides, by seed
    estimate: Estimate | None  # of that
    others: tuple[float | None, ...] = ()  # means of the sweep's other objectives; None where no training finished
    behind: Comparison | None = None  # the winner's less this one's, with the seeds of both; None for the winner
    p: float | None = None  # of that, as Holm corrects it

    @property
    def equal(self) -> bool:
        """Whether chance explains what lies between the winner and this one."""
        return self.p is not None and self.p >= ALPHA

    @property
    def parameters(self) -> Any:
        """Of the network; None where the task does not tell."""
        return self.trial.facts.get("parameters")


@dataclass(frozen=True)
class Verdict:
    sweep: Sweep
    anew: Sweep  # the confirmation's own records
    objective: str  # of the search, which decided there
    metric: str  # decides here: of the test data, or the objective where the task tells none
    direction: str
    rows: tuple[Row, ...]  # best first, those without an estimate last
    others: tuple[str, ...] = ()  # the sweep's other objectives, which decide nothing here

    @property
    def ranked(self) -> list[Row]:
        return [row for row in self.rows if row.estimate]

    @property
    def tested(self) -> bool:
        return self.metric != self.objective

    @property
    def significant(self) -> bool | None:
        """Whether the winner is ahead of the second by more than chance; None where nothing can tell."""
        _, *others = self.ranked or [None]
        return None if not others or others[0].p is None else others[0].p < ALPHA

    @property
    def seeds(self) -> list[int]:
        return list(dict.fromkeys(training.params.get(SEED) for row in self.rows for training in row.trainings))

    @property
    def missing(self) -> int:
        """Trainings that have not ended."""
        return self.anew.started.n_trials - sum(training.state not in OPEN for training in self.anew.trials)


def of(sweep: Sweep, anew: Sweep) -> Verdict:
    """anew: the confirmation of `sweep`."""
    names = objectives.split(sweep.started.metric, len(sweep.started.directions))
    objective = objectives.of_epochs(names)
    place = names.index(objective)
    others = [other for other in range(len(names)) if other != place]
    direction = sweep.started.directions[place]
    trainings = [training for training in anew.trials if isinstance(training.params.get(SEED), int)]
    finished = [training for training in trainings if training.state == "FINISHED"]
    test = f"test_{objective.removeprefix('val_')}"
    tested = bool(finished) and all(_is_number(training.facts.get(test)) for training in finished)
    metric = test if tested else objective

    def row(trial: Trial) -> Row:
        own = tuple(training for training in trainings if training.params.get(CANDIDATE) == trial.number)
        ended = [training for training in own if training.state == "FINISHED"]
        validation = {training.params[SEED]: training.values[place] for training in ended}
        judged = {training.params[SEED]: training.facts[metric] for training in ended} if tested else validation
        judged = {seed: float(value) for seed, value in judged.items() if math.isfinite(value)}
        validated = _estimate([value for value in validation.values() if math.isfinite(value)])
        means = tuple(_mean([training.values[other] for training in ended]) for other in others)
        return Row(trial, own, trial.values[place], validated, judged, _estimate(list(judged.values())), means)

    chosen = {training.params.get(CANDIDATE) for training in trainings}
    rows = [row(trial) for trial in sweep.ranked() if trial.number in chosen]
    rows.sort(key=lambda row: losses([row.estimate.mean if row.estimate else math.nan], [direction]))
    left = tuple(names[other] for other in others)
    return Verdict(sweep, anew, objective, metric, direction, tuple(_compared(rows)), left)


def sentences(verdict: Verdict) -> Iterator[str]:
    """For the user, the most important one first."""
    yield from _on_winner(verdict)
    yield from _on_others(verdict)
    yield from _on_shrinkage(verdict)
    yield from _on_changes(verdict)
    yield from _on_trouble(verdict)
    met = [str(trial.number) for trial in verdict.sweep.trials if trial.tested]
    if met and verdict.tested:
        once = "once before" if len(met) == 1 else "before"
        yield (
            f"The test images were met {once}, by trial {', '.join(met)} at the sweep's end; that chose nothing. A "
            "sweep with hydra.sweeper.test=false leaves them to its confirmation."
        )


def _on_winner(verdict: Verdict) -> Iterator[str]:
    first, *others = verdict.ranked or [None]
    if first is None:
        yield "No candidate has two finished trainings, so there is no mean to rank by."
        return
    winner = first.trial.number
    if not others:
        yield f"Trial {winner} is the only candidate with two finished trainings: there is nothing to compare it with."
        return
    second = others[0]
    ahead = f"Trial {winner} is ahead of trial {second.trial.number}"
    if second.behind is None:
        yield f"{ahead}, but they share too few seeds to be compared."
    elif not second.behind.difference.mean:
        yield f"Trials {winner} and {second.trial.number} are level with every seed: choose by size or speed."
    elif second.p is None:
        yield f"{ahead} by {_gap(verdict, second.behind)} with every seed alike, which no test can judge."
    elif second.p < ALPHA:
        yield f"{ahead} by {_gap(verdict, second.behind)}, which chance hardly explains (p {_p(second.p)})."
    else:
        gap = _gap(verdict, second.behind)
        yield f"{ahead} by {gap}, which chance explains (p {_p(second.p)}): choose by size or speed."
    yield from _on_equals(first, [row for row in others if row.equal])


def _on_equals(first: Row, equals: list[Row]) -> Iterator[str]:
    """The smallest network of those that nothing tells from the first."""
    sized = [row for row in (first, *equals) if _is_number(row.parameters)]
    if len(sized) < 2:
        return
    smallest = min(sized, key=lambda row: row.parameters)
    if smallest.parameters < first.parameters:
        size = text.size(smallest.parameters)
        yield f"As good by these seeds, and smaller: trial {smallest.trial.number} with {size} parameters."


def _on_others(verdict: Verdict) -> Iterator[str]:
    """Objectives that the search had too."""
    if verdict.others and verdict.ranked:
        names = " and ".join(filter(None, (", ".join(verdict.others[:-1]), verdict.others[-1])))
        yield f"Ranked by {verdict.metric} alone: {names} {'are' if len(verdict.others) > 1 else 'is'} not judged."


def _on_shrinkage(verdict: Verdict) -> Iterator[str]:
    """How much of what the search saw was luck."""
    if not verdict.ranked:
        return
    row = verdict.ranked[0]
    found = f"Trial {row.trial.number}: {verdict.objective} {text.value(row.searched)} in the search"
    if row.validated:
        found += f", {text.value(row.validated.mean)} with fresh seeds"
    if verdict.tested:
        found += f", {verdict.metric} {text.value(row.estimate.mean)}"
    lost = row.searched - row.estimate.mean if verdict.direction == "maximize" else row.estimate.mean - row.searched
    amount = _amount(verdict.metric, abs(lost))
    if amount == _amount(verdict.metric, 0.0):
        yield f"{found}: as the search saw."
    else:
        yield f"{found}: {amount} {'worse' if lost > 0 else 'better'} than the search saw."


def _on_changes(verdict: Verdict) -> Iterator[str]:
    """Since the search, which the trainings should repeat."""
    found = dict.fromkeys(one for row in verdict.rows for one in changes.between(row.trial, row.trainings))
    if found:
        listed = "; ".join(f"{one.what} {one.then}, now {one.now}" for one in found)
        yield f"Not trained as in the search, and what differs from it may be that and no chance: {listed}."


def _on_trouble(verdict: Verdict) -> Iterator[str]:
    for row in verdict.rows:
        failed = Counter(label(one.state) for one in row.trainings if one.state not in (*OPEN, "FINISHED"))
        for state, count in failed.items():
            yield f"Trial {row.trial.number}: {count} of {len(row.trainings)} trainings {state}."
    ranked = verdict.ranked
    if ranked and all(len(set(row.judged.values())) == 1 for row in ranked):
        yield f"Every seed gave the same {verdict.metric}: does the task use `{SEED}` of its config?"
    if verdict.missing > 0:
        total = verdict.anew.started.n_trials
        yield f"{verdict.missing} of {total} trainings are missing: give the same command again."


def _compared(rows: list[Row]) -> Iterator[Row]:
    """With the first one."""
    if not rows or not rows[0].estimate:
        yield from rows
        return
    first, *others = rows
    comparisons = [_comparison(first, row) for row in others]
    ps = holm([comparison.p if comparison else None for comparison in comparisons])
    yield first
    for row, comparison, p in zip(others, comparisons, ps, strict=True):
        yield replace(row, behind=comparison, p=p)


def _comparison(first: Row, row: Row) -> Comparison | None:
    shared = [seed for seed in first.judged if seed in row.judged]
    if len(shared) < 2:
        return None
    return compare([first.judged[seed] for seed in shared], [row.judged[seed] for seed in shared])


def _estimate(values: list[float]) -> Estimate | None:
    return estimate(values) if len(values) > 1 else None


def _mean(values: list[float]) -> float | None:
    return fmean(values) if values else None


def _is_number(fact: Any) -> bool:
    return isinstance(fact, int | float) and not isinstance(fact, bool)


def _gap(verdict: Verdict, behind: Comparison) -> str:
    difference = behind.difference.mean
    return _amount(verdict.metric, difference if verdict.direction == "maximize" else -difference)


def _amount(metric: str, difference: float) -> str:
    """Of an accuracy in points, hundredths of it."""
    return f"{100 * difference:.2f} points" if metric.endswith("accuracy") else text.value(difference)


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"

"""`python -m sweeper reproduce`: a trial trained again from what it left, and whether it gives the same."""

from __future__ import annotations

import math
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sweeper import text
from sweeper.config import allowed, command
from sweeper.engine import process
from sweeper.errors import ConfigError
from sweeper.records import lineage, record, sweeps
from sweeper.records.events import Metrics
from sweeper.records.record import Sweep, Trial
from sweeper.training import config, instances, objectives, origin, trial
from sweeper.training.differences import Difference, alike, of_configs, of_origins
from sweeper.training.origin import Origin
from sweeper.training.trainer import AUTO, AUTOMATIC, COSTS

ERRORS = 2  # standard errors of an accuracy that two trainings of the same may be apart
LOSS = 0.05  # share of a loss
EQUAL = 1e-6  # share of a value that counts as none
MEASURED = ("latency_ms", "train_seconds")  # how the names of those end that are another one each time
SIZE = 0.02  # share of a file's size: its names and its compression are not always the same


@dataclass(frozen=True)
class Verdict:
    metric: str
    then: float
    now: float
    tolerance: float
    why: str  # that much

    @property
    def holds(self) -> bool:
        return abs(self.now - self.then) <= self.tolerance


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        "Trains a finished trial again, with the config, seed and threads that it had. Tells what differs from then "
        "(config, data, code, packages, machine) and judges the result: an accuracy may be "
        f"{ERRORS} standard errors apart, a loss {LOSS:.0%}, a file's size {SIZE:.0%}, parameters and operations not "
        "at all; a latency or a time is another one each time. Exit code: 0 reproduced, 1 not."
    )
    sweeps.add_trial(parser)
    parser.add_argument("--tolerance", metavar="X", type=float, help="of each value, instead of those above")
    parser.add_argument("--out", metavar="DIR", type=Path, help="keeps the network and its config there")
    parser.add_argument(
        "--allow", metavar="NAME", action="append", default=[], help="what of your own its config may call, as `export`"
    )


def run(args: Namespace) -> int:
    """Raises: ConfigError or DataError if the trial, or its data, is not there any more."""
    if args.tolerance is not None and not args.tolerance >= 0:
        raise ConfigError(f"--tolerance {args.tolerance:g}: give a difference from 0.")
    if args.out and args.out.exists() and any(args.out.iterdir()):
        raise ConfigError(f"--out {args.out} is not empty. Give a new folder.")
    found = sweeps.find_trial(args.run, args.sweep)
    sweep = record.read(sweeps.owner(found))
    then = next(one for one in sweep.trials if one.number == found.number)
    cfg, known = _left(then)
    if known:
        os.environ.update(process.surroundings(known.threads, None))  # before TensorFlow starts
    console = Console(highlight=False)
    allow = allowed.entries(args.allow)
    differences = of_configs(cfg, then.command, allow)
    data = instances.dataset(cfg, allow)
    differences += of_origins(known, origin.here(data, cfg), (sweep.started.git_commit, command.git_commit()))
    title = f"Trial {sweep.id}/{then.number} again  {text.params(then.params)}"
    console.print(Text(text.printable(title), "bold"), soft_wrap=True)
    _show(differences, console)
    result, identical = _trained(_settled(cfg, then), then, _ancestors(sweep, then), allow, args.out, console)
    verdicts = [*_judged(sweep, then, result.values, len(data.validation), args.tolerance)]
    for verdict in verdicts:
        console.print(Text(_sentence(verdict), "green" if verdict.holds else "red"), soft_wrap=True)
    if identical:
        console.print(f"Identical in all {len(then.curve)} epochs.")
    return 0 if all(verdict.holds for verdict in verdicts) else 1


def _left(then: Trial) -> tuple[DictConfig, Origin | None]:
    """What the trial left in its folder."""
    if then.duplicate_of is not None:
        raise ConfigError(f"Trial {then.number} was not trained: it has the values of trial {then.duplicate_of}.")
    try:
        cfg = config.read(then.folder)
    except FileNotFoundError:
        raise ConfigError(
            f"{then.folder} holds no {record.CONFIG}: only trainings of `python -m sweeper` can be reproduced."
        ) from None
    return cfg, origin.read(then.folder) if (then.folder / origin.NAME).exists() else None


def _ancestors(sweep: Sweep, then: Trial) -> list[tuple[Trial, DictConfig]]:
    """The trials of a population that it goes on from, the first one first, with their configs."""
    return [(one, _settled(_left(one)[0], one)) for one in lineage.ancestors(sweep.trials, then)[:-1]]


def _settled(cfg: DictConfig, then: Trial) -> DictConfig:
    """With what `auto` became."""
    became = {key: then.facts[key] for key in AUTOMATIC if cfg.trainer.get(key) == AUTO and key in then.facts}
    return OmegaConf.merge(cfg, {"trainer": became})


def _show(differences: Sequence[Difference], console: Console) -> None:
    rows = [tuple(map(text.printable, (one.what, one.then, one.now))) for one in differences]
    same = ", ".join(alike(differences))
    if not rows:
        console.print(f"Nothing differs from then: {same}.")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("differs", "then", "now"):
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
    if same:
        console.print(f"The same as then: {same}.")


def _trained(
    cfg: DictConfig,
    then: Trial,
    before: Sequence[tuple[Trial, DictConfig]],
    allow: Sequence[str],
    out: Path | None,
    console: Console,
) -> tuple[trial.TrialResult, bool]:
    """The result, and whether each epoch was as it was then. before: what it goes on from, with the configs."""
    known = {epoch: (value, metrics) for epoch, value, metrics in then.curve}
    same = []

    def report(epoch: int, value: float, metrics: Metrics) -> bool:
        earlier, others = known.get(epoch, (math.nan, {}))
        same.append(_is_close(value, earlier) and all(_is_close(metrics[key], others.get(key)) for key in metrics))
        console.print(f"  epoch {epoch:<3} {text.value(value)}   then {text.value(earlier)}")
        return False

    with ExitStack() as stack:
        place = Path(stack.enter_context(TemporaryDirectory(prefix="sweeper-reproduce-")))
        for ancestor, its in before:
            console.print(f"  first trial {ancestor.number}, which it goes on from")
            trial.run(its, folder=place / str(ancestor.number), allow=allow, sweep=place)
        result = trial.run(cfg, report, out or place / "again", allow=allow, sweep=place)
    return result, all(same) and len(same) == len(then.curve)


def _is_close(now: float, then: float | None) -> bool:
    return then is not None and math.isclose(now, then, rel_tol=EQUAL)


def _judged(
    sweep: Sweep, then: Trial, values: tuple[float, ...], images: int, tolerance: float | None
) -> Iterable[Verdict]:
    names = objectives.split(sweep.started.metric, len(values))
    for name, before, now in zip(names, then.values, values, strict=True):
        if name.endswith(MEASURED):
            continue
        allowed_for, why = _tolerance(name, before, images) if tolerance is None else (tolerance, "--tolerance")
        yield Verdict(name, before, now, allowed_for, why)


def _tolerance(metric: str, value: float, images: int) -> tuple[float, str]:
    """And why. images: that an accuracy was measured on."""
    if metric.endswith("_kb"):
        return SIZE * value, f"{SIZE:.0%} of a file's size"
    if metric in COSTS:
        return 0.0, "a size does not change"
    if metric.endswith("loss"):
        return LOSS * abs(value), f"{LOSS:.0%} of a loss"
    error = math.sqrt(max(value * (1 - value), 1 / images) / images)
    return ERRORS * error, f"{ERRORS} standard errors of {images:,} images"


def _sentence(verdict: Verdict) -> str:
    judgement = "reproduced" if verdict.holds else "not reproduced"
    return (
        f"{verdict.metric} {text.value(verdict.now)}, then {text.value(verdict.then)}: {judgement}. "
        f"{text.value(verdict.tolerance)} apart would do: {verdict.why}."
    )

"""One trial: data -> model -> optimizer -> fit -> files -> facts. The only file that knows the order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from sweeper.errors import ConfigError
from sweeper.files import file_costs
from sweeper.records import lineage
from sweeper.records.events import Metrics, Report
from sweeper.search import asked
from sweeper.training import checkpoint, config, instances, objectives, origin, segment
from sweeper.training.schedule import Schedule
from sweeper.training.segment import Segment

if TYPE_CHECKING:
    from sweeper.training.rates import Rates

HPARAMS = {"lr": (0.0, math.inf), "dropout": (0.0, 1.0), "weight_decay": (0.0, math.inf)}  # from, to below


@dataclass(frozen=True)
class TrialResult:
    values: tuple[float, ...]  # of each optimized metric in the best epoch
    facts: dict[str, Any]  # model, dataset, costs, epochs, best_epoch and the best epoch's metrics

    @property
    def value(self) -> float | tuple[float, ...]:
        """As a task returns it: a number for one objective."""
        return self.values[0] if len(self.values) == 1 else self.values


def never_stop(epoch: int, value: float, metrics: Metrics) -> bool:
    return False


def run(
    cfg: DictConfig,
    report: Report = never_stop,
    folder: Path = Path(),
    kept: dict[str, Any] | None = None,
    test: bool = False,
    allow: Sequence[str] = (),
    sweep: Path | None = None,
) -> TrialResult:
    """Trains the network that `cfg` describes; writes config.yaml into `folder` and, if not stopped, the network.

    kept: what this process keeps from trial to trial; the next one in it trains faster.
    test: judges the network on the test images too, which nothing that chooses may know: not for a search.
    allow: what `cfg` may call, beside what the command line allows.
    sweep: the folder of the sweep, where the states of a population lie.
    Raises: ConfigError for a value that cannot train, DataError from the data set or a population, Diverged if the
        loss explodes.
    """
    check(cfg)
    optimized = objectives.names(cfg.optimized_metric)
    metric, wanted = objectives.of_epochs(optimized), {*optimized, *asked.names()}
    trainer = instances.make(cfg, "trainer", allow)
    folder.mkdir(parents=True, exist_ok=True)
    saved = checkpoint.read(folder) if config.is_of(cfg, folder) else None  # by an attempt whose process died
    part = segment.of(cfg, sweep)
    config.write(folder, cfg)
    import sweeper.training.lean  # noqa: F401  TensorFlow starts here
    from sweeper.training import fit, structure, trained
    from sweeper.training.program import Programs
    from sweeper.training.start import prepare, settled

    trainer = settled(cfg, trainer, allow)
    start = prepare(cfg, trainer, allow)
    batches, parts = start.batches, start.parts
    origin.write(folder, origin.here(start.data, cfg))
    programs = Programs() if kept is None else kept.setdefault("programs", Programs())
    program = programs.take(structure.of(cfg, parts, batches.steps, allow), parts, batches.steps)
    own = _without_inherited(report, part) if part else report
    told, save = _told_to(start.schedule, program.rates, own), partial(checkpoint.write, folder)
    fitted = fit.fit(program, batches, trainer, metric, told, saved, save, part)

    done = trained.of(cfg, start, program, fitted)
    if not fitted.stopped:
        done.write(folder, metric)
    facts = done.facts(folder, wanted, test)
    if part:
        part.leave(sweep, fitted.end)
        facts[lineage.SCORE] = fitted.end.curve[-1][metric]
    return TrialResult(tuple(float(facts[name]) for name in optimized), facts)


def check(cfg: DictConfig) -> None:
    """Raises: ConfigError for values that the libraries would train nonsense with, or refuse without their names."""
    optimized = objectives.names(cfg.optimized_metric)
    objectives.check_measured(optimized)
    file_costs.check({*optimized, *asked.names()})
    if not isinstance(cfg.seed, int) or not 0 <= cfg.seed < 2**32:
        raise ConfigError(f"seed={cfg.seed}: give a whole number from 0 to {2**32 - 1}.")
    for key, (low, high) in HPARAMS.items():
        value = cfg.hparams.get(key, low)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value < high:
            below = "" if high == math.inf else f" to below {high:g}"
            raise ConfigError(f"hparams.{key}={value}: give a number from {low:g}{below}.")
    instances.make(cfg, "trainer")


def _without_inherited(report: Report, segment: Segment) -> Report:
    """A report of the segment's own epochs."""
    return lambda epoch, value, metrics: epoch > segment.first and report(epoch, value, metrics)


def _told_to(schedule: Schedule, rates: Rates, report: Report) -> Report:
    """A report that a schedule hears first if it waits for a plateau of the validation loss."""
    if not hasattr(schedule, "end_epoch"):  # one of Keras' own
        return report

    def told(epoch: int, value: float, metrics: Metrics) -> bool:
        factor = schedule.end_epoch(metrics["val_loss"])
        if factor != 1:
            rates.multiply(factor)
        return report(epoch, value, metrics)

    return told

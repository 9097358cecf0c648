"""One trial: data -> model -> optimizer -> fit -> files. The only file that knows the order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from sweeper.data import Dataset
from sweeper.errors import ConfigError, DataError
from sweeper.files import costs, file_costs
from sweeper.files.card import Card
from sweeper.records import lineage, plain
from sweeper.records.events import Metrics, Report
from sweeper.records.record import CONFIG, MODEL
from sweeper.search import asked
from sweeper.secret import without_credentials
from sweeper.training import answers, checkpoint, instances, objectives, origin, segment, size
from sweeper.training.schedule import Schedule
from sweeper.training.segment import Segment
from sweeper.training.trainer import AUTO, AUTOMATIC, PRECISIONS, Trainer

if TYPE_CHECKING:
    from sweeper.training.parts import Parts
    from sweeper.training.pipeline import Batches
    from sweeper.training.program import Program
    from sweeper.training.rates import Rates
    from sweeper.training.structure import Structure

HPARAMS = {"lr": (0.0, math.inf), "dropout": (0.0, 1.0), "weight_decay": (0.0, math.inf)}  # from, to below


@dataclass(frozen=True)
class TrialResult:
    values: tuple[float, ...]  # of each optimized metric in the best epoch
    facts: dict[str, Any]  # model, dataset, costs, epochs, best_epoch and the best epoch's metrics

    @property
    def value(self) -> float | tuple[float, ...]:
        """As a task returns it: a number for one objective."""
        return self.values[0] if len(self.values) == 1 else self.values


@dataclass(frozen=True)
class Start:
    """What a training starts with."""

    data: Dataset
    batches: Batches
    schedule: Schedule
    parts: Parts


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
    saved = checkpoint.read(folder) if is_of(cfg, folder) else None  # by an attempt whose process died
    part = segment.of(cfg, sweep)
    (folder / CONFIG).write_text(as_text(cfg), encoding="utf-8")
    import sweeper.training.lean  # noqa: F401  TensorFlow starts here
    from sweeper.training import fit, views
    from sweeper.training.program import Programs

    trainer = settled(cfg, trainer, allow)
    start = prepare(cfg, trainer, allow)
    data, net, batches = start.data, start.parts.net, start.batches
    origin.write(folder, origin.here(data, cfg))
    programs = Programs() if kept is None else kept.setdefault("programs", Programs())
    program = programs.take(structure(cfg, start, allow), start.parts, batches.steps)
    own = _without_inherited(report, part) if part else report
    told, save = _told_to(start.schedule, program.rates, own), partial(checkpoint.write, folder)
    fitted = fit.fit(program, batches, trainer, metric, told, saved, save, part)
    net.set_weights(fitted.weights)

    words = {group: instances.word(cfg[group]) for group in ("model", "dataset")}
    facts: dict[str, Any] = words | size.of(net, trainer)
    used = views.averaged(net) if trainer.views == 2 else net
    if not fitted.stopped:
        used.save(folder / MODEL)
        Card(
            **words,
            parameters=facts["parameters"],
            classes=data.classes,
            input_shape=data.input_shape,
            mean=data.mean,
            std=data.std,
            metric=metric,
            value=fitted.value,
        ).write(folder)
    if fitted.epoch_seconds is not None:
        facts["train_seconds"] = fitted.epochs * fitted.epoch_seconds
    if trainer.latency or "latency_ms" in wanted:
        facts["latency_ms"] = costs.latency(used)
    if not fitted.stopped:
        facts["model_kb"] = (folder / MODEL).stat().st_size / 1e3
        facts |= file_costs.measure(used, data, wanted)
    facts |= _chosen(cfg, trainer, program)
    if test and not fitted.stopped:
        facts |= answers.evaluate(used, data.test, data).metrics
    facts |= {"epochs": fitted.epochs, "best_epoch": fitted.best_epoch} | fitted.metrics
    if part:
        part.leave(sweep, fitted.end)
        facts[lineage.SCORE] = fitted.end.curve[-1][metric]
    return TrialResult(tuple(float(facts[name]) for name in optimized), facts)


def settled(cfg: DictConfig, trainer: Trainer, allow: Sequence[str] = ()) -> Trainer:
    """With the precision that this machine trains fastest with, if it is `auto`."""
    if trainer.precision != AUTO:
        return trainer
    from sweeper.training import speed
    from sweeper.training.program import Program

    def begun(precision: str) -> tuple[Program, Batches]:
        start = prepare(cfg, replace(trainer, precision=precision, steps_per_execution=1), allow)
        return Program(start.parts, start.batches.steps), start.batches

    folder = instances.cache_folder(cfg)
    if folder is None:
        raise ConfigError(
            "trainer.precision=auto keeps what it measures in the folder `cache`, and cache=null. Give a folder, or "
            f"trainer.precision as one of {', '.join(PRECISIONS)}."
        )
    shape = "x".join(map(str, instances.dataset(cfg, allow).input_shape))
    keys = OmegaConf.to_container(cfg.model, resolve=True)
    network = {key: value for key, value in keys.items() if not isinstance(value, float)}  # a rate changes no speed
    work = f"{network}, {trainer.batch_size} images of {shape}"
    return replace(trainer, precision=speed.precision(work, partial(speed.seconds_a_step, begun=begun), folder))


def prepare(cfg: DictConfig, trainer: Trainer, allow: Sequence[str] = ()) -> Start:
    """allow: as of `run`. Raises: as `make` and `dataset`, and ConfigError for two kinds of averages at once."""
    from sweeper.training import fit, pipeline, rates, speed
    from sweeper.training.parts import Parts

    fit.reset(cfg.seed, trainer.precision)
    data = instances.dataset(cfg, allow)
    make = partial(instances.make, cfg, allow=allow)
    net = instances.network(cfg, data.input_shape, data.num_classes, allow)
    batches = pipeline.batches(data, trainer, make("augment"), cfg.seed)
    if trainer.steps_per_execution == AUTO:
        at_once = speed.steps_at_once(costs.mflops(net), trainer.batch_size, instances.cache_folder(cfg))
        trainer = replace(trainer, steps_per_execution=at_once)
    steps = trainer.epochs * batches.steps
    if trainer.jit_compile == AUTO:
        trainer = replace(trainer, jit_compile=speed.pays_to_compile(steps))
    schedule = make("schedule", steps=steps)
    rate = rates.Rates(rates.table(schedule, steps))
    parts = Parts(net, make("optimizer", learning_rate=rate), rate, trainer)
    return Start(data, batches, schedule, parts)


def structure(cfg: DictConfig, start: Start, allow: Sequence[str] = ()) -> Structure:
    """What another trial has to have in common with this one for its program to train it, too."""
    from sweeper.training import structure

    model, optimizer = (instances.keys(cfg, group, allow) for group in ("model", "optimizer"))
    return structure.of(start.parts, start.batches.steps, model, optimizer, cfg.seed)


def is_of(cfg: DictConfig, folder: Path) -> bool:
    """Whether the trial in `folder`, if there is one, has this config."""
    path = folder / CONFIG
    return path.exists() and path.read_text(encoding="utf-8") == as_text(cfg)


def config(folder: Path) -> DictConfig:
    """Of the trial in `folder`, which may be a stranger's: an interpolation in it could tell what is on this machine.

    Raises: FileNotFoundError if `folder` holds no config.yaml, DataError if it is damaged or not resolved.
    """
    advice = "It should be as the training wrote it."
    keys = plain.read(folder / CONFIG, advice)
    if not isinstance(keys.get("dataset"), dict) or "${" in (folder / CONFIG).read_text(encoding="utf-8"):
        raise DataError(f"{folder / CONFIG} is no config of a trial, with a dataset and all values resolved. {advice}")
    return OmegaConf.create(keys)


def as_text(cfg: DictConfig) -> str:
    """As its config.yaml has it."""
    return without_credentials(OmegaConf.to_yaml(cfg, resolve=True))


def _chosen(cfg: DictConfig, trainer: Trainer, program: Program) -> dict[str, Any]:
    """What `auto` became, as facts."""
    model = program.model
    became = (trainer.precision, model.steps_per_execution, model.jit_compile)
    told = zip(AUTOMATIC, became, strict=True)
    return {key: value for key, value in told if cfg.trainer.get(key) == AUTO and value}


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

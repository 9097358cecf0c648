"""What a training starts with: data, batches, network and optimizer, once `auto` in its trainer has become a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import keras
from omegaconf import DictConfig, OmegaConf

from sweeper.data import Dataset
from sweeper.errors import ConfigError
from sweeper.files import costs
from sweeper.training import fit, instances, pipeline, rates, speed
from sweeper.training.parts import Parts
from sweeper.training.pipeline import Batches
from sweeper.training.program import Program
from sweeper.training.schedule import Schedule
from sweeper.training.trainer import AUTO, PRECISIONS, Trainer


@dataclass(frozen=True)
class Start:
    data: Dataset
    batches: Batches
    schedule: Schedule
    parts: Parts


def prepare(cfg: DictConfig, trainer: Trainer, allow: Sequence[str] = ()) -> Start:
    """trainer: `settled`. allow: what `cfg` may call, beside what the command line allows.

    Raises: as `instances.make` and `instances.dataset`, and ConfigError for two kinds of averages at once.
    """
    fit.reset(cfg.seed, trainer.precision)
    data = instances.dataset(cfg, allow)
    make = partial(instances.make, cfg, allow=allow)
    net = instances.network(cfg, data.input_shape, data.num_classes, allow)
    batches = pipeline.batches(data, trainer, make("augment"), cfg.seed)
    steps = trainer.epochs * batches.steps
    trainer = _paced(cfg, trainer, net, steps)
    schedule = make("schedule", steps=steps)
    rate = rates.Rates(rates.table(schedule, steps))
    return Start(data, batches, schedule, Parts(net, make("optimizer", learning_rate=rate), rate, trainer))


def settled(cfg: DictConfig, trainer: Trainer, allow: Sequence[str] = ()) -> Trainer:
    """With the precision that this machine trains fastest with, if it is `auto`. allow: as of `prepare`."""
    if trainer.precision != AUTO:
        return trainer

    def begun(precision: str) -> tuple[Program, Batches]:
        start = prepare(cfg, replace(trainer, precision=precision, steps_per_execution=1), allow)
        return Program(start.parts, start.batches.steps), start.batches

    folder = instances.cache_folder(cfg)
    if folder is None:
        raise ConfigError(
            "trainer.precision=auto keeps what it measures in the folder `cache`, and cache=null. Give a folder, or "
            f"trainer.precision as one of {', '.join(PRECISIONS)}."
        )
    measure = partial(speed.seconds_a_step, begun=begun)
    return replace(trainer, precision=speed.precision(_work(cfg, trainer, allow), measure, folder))


def _work(cfg: DictConfig, trainer: Trainer, allow: Sequence[str]) -> str:
    """What is trained, in the words by which its speed is remembered."""
    shape = "x".join(map(str, instances.dataset(cfg, allow).input_shape))
    keys = OmegaConf.to_container(cfg.model, resolve=True)
    network = {key: value for key, value in keys.items() if not isinstance(value, float)}  # a rate changes no speed
    return f"{network}, {trainer.batch_size} images of {shape}"


def _paced(cfg: DictConfig, trainer: Trainer, net: keras.Model, steps: int) -> Trainer:
    """With what `auto` becomes of the keys that take a network to tell. steps: of the whole training."""
    if trainer.steps_per_execution == AUTO:
        at_once = speed.steps_at_once(costs.mflops(net), trainer.batch_size, instances.cache_folder(cfg))
        trainer = replace(trainer, steps_per_execution=at_once)
    if trainer.jit_compile == AUTO:
        trainer = replace(trainer, jit_compile=speed.pays_to_compile(steps))
    return trainer

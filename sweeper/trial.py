"""One trial: data -> model -> optimizer -> fit -> files. The only file that knows the order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, MissingMandatoryValue, OmegaConf

from sweeper.card import Card
from sweeper.errors import ConfigError
from sweeper.events import Metrics, Report
from sweeper.record import CONFIG, MODEL

METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")  # those named loss are minimized, the others maximized


@dataclass(frozen=True)
class TrialResult:
    value: float  # of the optimized metric in the best epoch
    facts: dict[str, Any]  # model, dataset, parameters, epochs, best_epoch and the best epoch's metrics


def never_stop(epoch: int, value: float, metrics: Metrics) -> bool:
    return False


def run(cfg: DictConfig, report: Report = never_stop, folder: Path = Path()) -> TrialResult:
    """Trains the network that `cfg` describes; writes config.yaml into `folder` and, if not stopped, the network.

    Raises: ConfigError for a value that cannot train, DataError from the data set, Diverged if the loss explodes.
    """
    metric = cfg.optimized_metric
    if metric not in METRICS:
        raise ConfigError(f"optimized_metric={metric}: not measured by a trial. Give one of {', '.join(METRICS)}.")
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(cfg, folder / CONFIG, resolve=True)
    from sweeper import fit, pipeline  # TensorFlow starts here

    trainer = bind(cfg.trainer)()
    fit.reset(cfg.seed, trainer.precision)
    data = bind(cfg.dataset)()
    net = bind(cfg.model)(input_shape=data.input_shape, num_classes=data.num_classes)
    train = pipeline.training(data, trainer.batch_size, augment=bind(cfg.augment)(), seed=cfg.seed)
    validation = pipeline.evaluation(data.validation, data.mean, data.std, trainer.batch_size)
    schedule = bind(cfg.schedule)(steps=trainer.epochs * len(train))
    optimizer = bind(cfg.optimizer)(learning_rate=schedule)
    fitted = fit.fit(net, optimizer, train, validation, trainer, metric, report)

    facts = {"model": _word(cfg.model), "dataset": _word(cfg.dataset), "parameters": net.count_params()}
    if not fitted.stopped:
        net.save(folder / MODEL)
        Card(
            **facts,
            classes=data.classes,
            input_shape=data.input_shape,
            mean=data.mean,
            std=data.std,
            metric=metric,
            value=fitted.value,
        ).write(folder)
    facts |= {"epochs": fitted.epochs, "best_epoch": fitted.best_epoch}
    return TrialResult(fitted.value, facts | fitted.metrics)


def bind(group: DictConfig) -> Callable[..., Any]:
    """The function that `_target_` names, holding the group's other keys but `space`, which is the sweep's.

    Raises: ConfigError if a key has no value yet.
    """
    try:
        keys = OmegaConf.to_container(group, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        key = error.full_key
        raise ConfigError(f"{key} has no value and {group._target_} needs one. Give it: {key}=…") from None
    keys.pop("space", None)
    return instantiate(keys, _partial_=True, _convert_="all")


def _word(group: DictConfig) -> str:
    """The file's stem, which is the word on the command line: custom for sweeper.models.custom.build."""
    return group._target_.split(".")[-2]

"""A network that a trial has trained: what is written of it, and the facts that it is measured for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
from omegaconf import DictConfig

from sweeper.files import costs, file_costs
from sweeper.files.card import Card
from sweeper.records.record import MODEL
from sweeper.training import answers, instances, size, views
from sweeper.training.fit import Fitted
from sweeper.training.program import Program
from sweeper.training.start import Start
from sweeper.training.trainer import AUTO, AUTOMATIC


@dataclass(frozen=True)
class Trained:
    start: Start
    program: Program
    fitted: Fitted
    network: keras.Model  # with the weights of its best epoch, as it answers: by both views of an image, if it has two
    words: dict[str, str]  # of its model and data set, as the command line has them
    size: dict[str, float]  # see `size.of`
    automatic: tuple[str, ...]  # keys of the trainer that were `auto`

    def write(self, folder: Path, metric: str) -> None:
        """The network and its card. metric: that its best epoch was chosen by."""
        self.network.save(folder / MODEL)
        data = self.start.data
        Card(
            **self.words,
            parameters=self.size["parameters"],
            classes=data.classes,
            input_shape=data.input_shape,
            mean=data.mean,
            std=data.std,
            metric=metric,
            value=self.fitted.value,
        ).write(folder)

    def facts(self, folder: Path, wanted: Collection[str], test: bool) -> dict[str, Any]:
        """What its trial tells of it, once it is written; of a stopped one less.

        folder: where it was written. wanted: names of costs that are measured only then. test: on the test images too.
        """
        fitted, data, facts = self.fitted, self.start.data, self.words | self.size
        if fitted.epoch_seconds is not None:
            facts["train_seconds"] = fitted.epochs * fitted.epoch_seconds
        if self.start.parts.trainer.latency or "latency_ms" in wanted:
            facts["latency_ms"] = costs.latency(self.network)
        if not fitted.stopped:
            facts["model_kb"] = (folder / MODEL).stat().st_size / 1e3
            facts |= file_costs.measure(self.network, data, wanted)
        facts |= self._became()
        if test and not fitted.stopped:
            facts |= answers.evaluate(self.network, data.test, data).metrics
        return facts | {"epochs": fitted.epochs, "best_epoch": fitted.best_epoch} | fitted.metrics

    def _became(self) -> dict[str, Any]:
        """What `auto` became. What it did not turn on is left out."""
        model = self.program.model
        became = (self.start.parts.trainer.precision, model.steps_per_execution, model.jit_compile)
        values = zip(AUTOMATIC, became, strict=True)
        return {key: value for key, value in values if key in self.automatic and value}


def of(cfg: DictConfig, start: Start, program: Program, fitted: Fitted) -> Trained:
    """cfg: of the trial. Puts the weights of the best epoch into the network that it started with."""
    net, trainer = start.parts.net, start.parts.trainer
    net.set_weights(fitted.weights)
    words = {group: instances.word(cfg[group]) for group in ("model", "dataset")}
    counted = size.of(net, trainer)  # while nothing else calls its layers
    network = views.averaged(net) if trainer.views == 2 else net
    automatic = tuple(key for key in AUTOMATIC if cfg.trainer.get(key) == AUTO)
    return Trained(start, program, fitted, network, words, counted, automatic)

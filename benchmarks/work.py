"""What a benchmark trains, as overrides of the command line say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sweeper.training.pipeline import Batches
    from sweeper.training.program import Program


def name(overrides: list[str]) -> str:
    """Their values in a row, but for what belongs to the data set: `alexnet cifar10`."""
    return " ".join(part.partition("=")[2] for part in overrides if not part.startswith("dataset."))


def begun(overrides: list[str]) -> tuple[Program, Batches]:
    """As a trial begins."""
    from sweeper.config.compose import composed
    from sweeper.training import instances
    from sweeper.training.program import Program
    from sweeper.training.start import prepare, settled

    cfg = composed(overrides)
    start = prepare(cfg, settled(cfg, instances.make(cfg, "trainer")))
    return Program(start.parts, start.batches.steps), start.batches

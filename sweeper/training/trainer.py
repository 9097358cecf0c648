"""How long and in what steps a network is trained: the values of conf/trainer, checked before TensorFlow is loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sweeper.errors import ConfigError
from sweeper.files import file_costs

METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")  # those named loss are minimized, the others maximized
# Of the trained network: number; millions an image; an image; of all its epochs, but not of tracing it; as it is saved,
# in thousands of bytes. Then of it as a file that others run.
COSTS = ("parameters", "mflops", "latency_ms", "train_seconds", "model_kb", *file_costs.NAMES)
AUTO = "auto"  # what this machine does fastest
AUTOMATIC = ("precision", "steps_per_execution", "jit_compile")  # keys that may be so
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def direction(metric: str) -> str:
    """Where a metric gets better: a loss or a cost when it falls, all others when they rise."""
    return "minimize" if metric.endswith("loss") or metric in COSTS else "maximize"


@dataclass(frozen=True)
class Trainer:
    """Raises: ConfigError for a value that cannot train."""

    epochs: int
    batch_size: int  # images a step
    precision: str = "float32"
    patience: int | None = None  # epochs without a better value after which training stops; None = never
    patience_metric: str | None = None  # what `patience` watches; None = the metric that chooses the best epoch
    ema: float | None = None  # share of the running mean of the weights kept a step; None = the weights as they are
    label_smoothing: float = 0.0  # share of each label spread over all classes
    class_weights: str | None = None  # balanced: each class counts the same in the loss
    views: int = 1  # 2: the answer is the mean of those to an image and its mirror image
    latency: bool = False  # measured although it is not optimized
    checkpoint: float | None = None  # seconds between two checkpoints; None = none
    steps_per_execution: int | str = 1  # or auto
    jit_compile: bool | str = False  # by XLA; or auto

    def __post_init__(self):
        for key in ("epochs", "batch_size", "steps_per_execution", "patience"):
            number = getattr(self, key)
            if (key, number) in (("patience", None), ("steps_per_execution", AUTO)):
                continue
            if not isinstance(number, int) or isinstance(number, bool) or number < 1:
                raise ConfigError(f"trainer.{key}={number}: not a count. Give a whole number from 1.")
        for key, choices in (
            ("precision", (*PRECISIONS, AUTO)),
            ("patience_metric", (None, *METRICS)),
            ("class_weights", (None, "balanced")),
            ("views", (1, 2)),
            ("jit_compile", (True, False, AUTO)),
        ):
            if getattr(self, key) not in choices:
                known = ", ".join(json.dumps(choice).strip('"') for choice in choices)
                raise ConfigError(f"trainer.{key}={getattr(self, key)}: unknown. Give one of {known}.")
        if self.checkpoint is not None and (not isinstance(self.checkpoint, int | float) or self.checkpoint < 0):
            raise ConfigError(f"trainer.checkpoint={self.checkpoint}: not a time. Give seconds from 0, or null.")
        for key in ("ema", "label_smoothing"):
            share = getattr(self, key)
            if key == "ema" and share is None:
                continue
            if not isinstance(share, int | float) or isinstance(share, bool) or not 0 <= share < 1:
                raise ConfigError(f"trainer.{key}={share}: not a share. Give a number from 0 to below 1.")

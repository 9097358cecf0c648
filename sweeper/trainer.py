"""How long and in what steps a network is trained: the values of conf/trainer, checked before TensorFlow is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from sweeper.errors import ConfigError

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def direction(metric: str) -> str:
    """Where a metric gets better: a loss when it falls, all others when they rise."""
    return "minimize" if metric.endswith("loss") else "maximize"


@dataclass(frozen=True)
class Trainer:
    """Raises: ConfigError for a value that cannot train."""

    epochs: int
    batch_size: int  # images a step
    precision: str = "float32"
    patience: int | None = None  # epochs without a better value after which training stops; None = never
    steps_per_execution: int = 1
    jit_compile: bool = False

    def __post_init__(self):
        for key in ("epochs", "batch_size", "steps_per_execution", "patience"):
            number = getattr(self, key)
            if key == "patience" and number is None:
                continue
            if not isinstance(number, int) or number < 1:
                raise ConfigError(f"trainer.{key}={number}: not a count. Give a whole number from 1.")
        if self.precision not in PRECISIONS:
            raise ConfigError(f"trainer.precision={self.precision}: unknown. Give one of {', '.join(PRECISIONS)}.")

"""What a sweep optimises: the names in `optimized_metric`, one an objective, and whether the directions fit them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sweeper.errors import ConfigError
from sweeper.training.trainer import COSTS, METRICS, direction

UNNAMED = "value"  # what a task returns that gives it no name


def names(optimized_metric: Any) -> tuple[str, ...]:
    """optimized_metric: one word or a list of them.

    Raises: ConfigError if it is neither.
    """
    found = (optimized_metric,) if isinstance(optimized_metric, str) else optimized_metric
    if not isinstance(found, Sequence) or not found or not all(isinstance(name, str) for name in found):
        raise ConfigError(
            f"optimized_metric={optimized_metric}: give a word, val_accuracy, or a list of them, "
            "'optimized_metric=[val_accuracy,parameters]'"
        )
    return tuple(found)


def check_measured(names: Sequence[str]) -> None:
    """Raises: ConfigError if our own trainings do not measure one of them, or none differs from epoch to epoch."""
    for place, name in enumerate(names):
        if name not in METRICS + COSTS or name in names[:place]:
            known = ", ".join(METRICS + COSTS)
            what = "twice the same" if name in names[:place] else "not measured by a trial"
            raise ConfigError(f"optimized_metric={_typed(names)}: {name} is {what}. Give one of {known}.")
    if not set(names) & set(METRICS):
        raise ConfigError(
            f"optimized_metric={_typed(names)}: that is known before the training. Add what the training is for: "
            f"'optimized_metric=[val_accuracy,{','.join(names)}]'"
        )


def check_axes(names: Iterable[str]) -> None:
    """Raises: ConfigError if our own trainings do not measure one of them."""
    unknown = [name for name in names if name not in METRICS + COSTS]
    if unknown:
        raise ConfigError(
            f"hydra.sweeper.sampler.axes: {unknown[0]} is not measured by a trial. Give some of "
            f"{', '.join(COSTS + METRICS)}."
        )


def of_epochs(names: Sequence[str]) -> str:
    """The one that chooses the best epoch: the first that differs from epoch to epoch."""
    return next((name for name in names if name in METRICS), names[0])


def check_directions(names: Sequence[str], directions: Sequence[str]) -> None:
    """Raises: ConfigError if there are not as many, or one of them would keep the worst trials."""
    if tuple(names) == (UNNAMED,):
        return
    right = [_direction(name) or given for name, given in zip(names, _padded(directions, len(names)), strict=True)]
    if len(names) != len(directions):
        raise ConfigError(
            f"optimized_metric={_typed(names)} and hydra.sweeper.direction={_typed(directions)} are not as many. "
            f"Give {_assignment(right)}"
        )
    for name, given, wanted in zip(names, directions, right, strict=True):
        if given != wanted:
            raise ConfigError(
                f"optimized_metric={name} is to be found by hydra.sweeper.direction={given}, which keeps the worst. "
                f"Add {_assignment(right)}"
            )


def joined(names: Sequence[str]) -> str:
    """As SweepStarted.metric and the leaderboard hold them."""
    return ",".join(names)


def split(metric: str, count: int) -> tuple[str, ...]:
    """The names of `count` objectives. A task that returns several may have named none of them."""
    found = tuple(metric.split(","))
    return found if len(found) == count else tuple(f"{metric}_{place}" for place in range(count))


def _direction(name: str) -> str | None:
    """Where it gets better; None for what only the user knows."""
    return direction(name) if name.endswith(("loss", "accuracy")) or name in COSTS else None


def _padded(directions: Sequence[str], count: int) -> list[str]:
    return [*directions, *[directions[-1]] * count][:count]


def _assignment(directions: Sequence[str]) -> str:
    assignment = f"hydra.sweeper.direction={_typed(directions)}"
    return assignment if len(directions) == 1 else f"'{assignment}'"


def _typed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"[{','.join(words)}]"

"""How a sweep, or one training, begins: with a journal of its own, and an event that says what it is to be."""

from __future__ import annotations

import time
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from sweeper.config import allowed, command
from sweeper.errors import ConfigError
from sweeper.files import file_costs
from sweeper.records.events import SweepStarted
from sweeper.records.journal import Journal
from sweeper.search import asked
from sweeper.search.settings import Settings
from sweeper.secret import hide
from sweeper.training import objectives


def of_sweep(settings: Settings, config: DictConfig, *, ours: bool) -> SweepStarted:
    """ours: the task is our own training, which measures what it knows and nothing else.

    Raises: ConfigError as `objectives.names`, its checks and `of`.
    """
    metrics = objectives.names(OmegaConf.select(config, "optimized_metric", default=objectives.UNNAMED))
    if ours:
        objectives.check_measured(metrics)
        objectives.check_axes(asked.axes(config))
        file_costs.check(asked.names())
    return of(Path(config.hydra.sweep.dir), metrics, settings.directions, settings.n_trials, config.hydra)


def of(
    folder: Path, metrics: tuple[str, ...], directions: tuple[str, ...], n_trials: int, hydra: DictConfig
) -> SweepStarted:
    """hydra: the node of that name, which knows the chosen config groups.

    Raises: ConfigError if the directions do not fit the metrics, or packages are missing to measure one.
    """
    objectives.check_directions(metrics, directions)
    file_costs.check(metrics)
    metric = objectives.joined(metrics)
    choices = {group: option for group, option in hydra.runtime.choices.items() if not group.startswith("hydra/")}
    return SweepStarted(
        folder.name,
        command.typed(),
        metric,
        directions,
        n_trials,
        command.git_commit(),
        time.time(),
        choices,
        tuple(hide(list(hydra.overrides.task))),
        allowed.entries(OmegaConf.select(hydra, "sweeper.allow")),
    )


def claim(folder: Path) -> Journal:
    """The journal of a new sweep. Raises: ConfigError if `folder` holds one already or another process writes there."""
    journal = Journal(folder)
    if not journal.empty:
        journal.close()
        raise ConfigError(
            f"{folder} holds a sweep already, a second one would mix with it. Go on with that one: "
            f"hydra.sweeper.resume={folder}, or leave out hydra.sweep.dir for a new folder named by the time."
        )
    return journal

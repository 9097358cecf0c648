"""What the sections of a report are made of: a sweep, its ranking, and its trials as Optuna knows them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sweeper.ranking import standings
from sweeper.ranking.standings import Row, Standing
from sweeper.records import journal, record
from sweeper.records.record import Sweep, Trial
from sweeper.training import objectives

if TYPE_CHECKING:
    import optuna

    from sweeper.search.ranges import Ranges


@dataclass(frozen=True)
class Seen:
    sweep: Sweep
    running: bool  # a process goes on with it at this moment

    @cached_property
    def standings(self) -> list[Standing]:
        return standings.of([self.sweep])

    @cached_property
    def rows(self) -> list[Row]:
        return [row for standing in self.standings for row in standing.rows]

    @cached_property
    def objectives(self) -> tuple[str, ...]:
        """Their names."""
        return objectives.split(self.sweep.started.metric, len(self.sweep.started.directions))

    @property
    def reported(self) -> str:
        """What the trials report after each epoch."""
        return objectives.of_epochs(self.objectives) if self.objectives else objectives.UNNAMED

    @cached_property
    def best(self) -> Trial | None:
        return next(iter(self.ranked), None)

    @cached_property
    def ranked(self) -> list[Trial]:
        """The trained trials, best first."""
        return self.sweep.ranked()

    @cached_property
    def front(self) -> list[Trial]:
        """The Pareto front, by number."""
        return self.sweep.pareto_front()

    @property
    def searched(self) -> bool:
        """Whether there is a search: not in a single training."""
        return self.sweep.started.n_trials > 1 or any(trial.params for trial in self.sweep.trials)

    @property
    def rising(self) -> tuple[bool, ...]:
        """Of each objective, whether more is better."""
        return tuple(direction == "maximize" for direction in self.sweep.started.directions)

    def measured(self, place: int) -> list[Trial]:
        """Those that were trained to their end and have a finite value of that objective."""
        return [trial for trial in self.ranked if math.isfinite(trial.values[place])]

    @cached_property
    def ranges(self) -> Mapping[int, Ranges]:
        """By trial."""
        from sweeper.search import ranges

        return ranges.of(self.sweep)

    @cached_property
    def studies(self) -> list[optuna.Study]:
        """One an objective."""
        from sweeper.page import frozen

        return frozen.studies(self.sweep, self.ranges)


def look(folder: Path) -> Seen:
    """Raises: DataError if the folder's journal is damaged or holds no sweep."""
    running = journal.in_use(folder)
    return Seen(record.read(folder), running)

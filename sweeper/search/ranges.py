"""Which parameter of a sweep's trials had which range, and whether it is logarithmic.

From Optuna's journal beside the sweep's; where that is missing or tells of other values, from the values themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from sweeper.records.lineage import hyperparameters
from sweeper.records.record import Sweep, Trial
from sweeper.search.distribution import holds
from sweeper.search.storage import JOURNAL

Ranges = Mapping[str, BaseDistribution]  # of one trial, by Optuna's name: `model.width@custom` is one of model.width
WIDE = 100  # largest value to smallest, from which on a range that nobody told is taken for a logarithmic one


def of(sweep: Sweep) -> dict[int, Ranges]:
    """By trial."""
    return _told(sweep) or _inferred(sweep)


def override_key(name: str, trial: Trial) -> str:
    """The override key of one of Optuna's names."""
    return name if name in trial.params else name.rpartition("@")[0]


def _told(sweep: Sweep) -> dict[int, Ranges] | None:
    """By trial, as Optuna's journal has them; None where it does not fit the sweep's."""
    path = sweep.folder / JOURNAL
    if not path.is_file():
        return None
    try:
        storage = JournalStorage(JournalFileBackend(str(path)))  # only reads, also beside a sweep that runs
        study = storage.get_all_studies()[0]
        found = {trial.number: trial.distributions for trial in storage.get_all_trials(study._study_id, deepcopy=False)}
    except Exception:  # a damaged file, or one of a version that is not this one
        return None
    return found if all(_fits(trial, found.get(trial.number, {})) for trial in sweep.trials) else None


def _fits(trial: Trial, ranges: Ranges) -> bool:
    by_key = {override_key(name, trial): of for name, of in ranges.items()}
    return by_key.keys() == trial.params.keys() and all(holds(of, trial.params[key]) for key, of in by_key.items())


def _inferred(sweep: Sweep) -> dict[int, Ranges]:
    drawn: dict[str, list[Any]] = {}
    for trial in sweep.trials:
        for key, value in hyperparameters(trial.params).items():
            drawn.setdefault(key, []).append(value)
    ranges = {key: _range(values) for key, values in drawn.items()}
    return {trial.number: {key: ranges[key] for key in hyperparameters(trial.params)} for trial in sweep.trials}


def _range(values: list[Any]) -> BaseDistribution:
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values) or not all(
        map(math.isfinite, values)
    ):
        return CategoricalDistribution(tuple(dict.fromkeys(map(str, values))))
    low, high = min(values), max(values)
    log = low > 0 and high >= WIDE * low
    if all(isinstance(value, int) for value in values):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)

"""The trials of a sweep as studies of Optuna's in memory, one an objective: for its plots and its importances.

Values come from the sweep's own journal. Which parameter had which range, and whether it is logarithmic, comes from
Optuna's journal beside it; where that is missing or tells of other values, from the values themselves. Texts are
escaped, for Plotly obeys markup in them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweeper import text
from sweeper.page.figure import escaped
from sweeper.records.record import Sweep, Trial
from sweeper.search.distribution import holds
from sweeper.search.storage import JOURNAL

Ranges = Mapping[str, BaseDistribution]  # of one trial, by Optuna's name: `model.width@custom` is one of model.width
WIDE = 100  # largest value to smallest, from which on a range that nobody told is taken for a logarithmic one

optuna.logging.set_verbosity(optuna.logging.ERROR)  # what a plot leaves out, the page says


def ranges(sweep: Sweep) -> dict[int, Ranges]:
    """By trial."""
    return _told(sweep) or _inferred(sweep)


def studies(sweep: Sweep, ranges: Mapping[int, Ranges]) -> list[optuna.Study]:
    """Their trials are those of the sweep, in order; all but the trained ones with a finite value count as failed."""
    names = list(dict.fromkeys(name for trial in sweep.trials for name in ranges[trial.number]))
    labels = {name: escaped(label) for name, label in zip(names, text.names(names), strict=True)}
    return [_study(sweep, place, ranges, labels) for place in range(len(sweep.started.directions))]


def key(name: str, trial: Trial) -> str:
    """The override key of one of Optuna's names."""
    return name if name in trial.params else name.rpartition("@")[0]


def _study(sweep: Sweep, place: int, ranges: Mapping[int, Ranges], labels: Mapping[str, str]) -> optuna.Study:
    rising = sweep.started.directions[place] == "maximize"
    study = optuna.create_study(direction="maximize" if rising else "minimize")
    study.add_trials(_frozen(trial, place, ranges[trial.number], labels) for trial in sweep.trials)
    return study


def _frozen(trial: Trial, place: int, ranges: Ranges, labels: Mapping[str, str]) -> FrozenTrial:
    if trial.state != "FINISHED" or trial.duplicate_of is not None or not math.isfinite(trial.values[place]):
        return create_trial(state=TrialState.FAIL)
    params = {labels[name]: _shown(trial.params[key(name, trial)], of) for name, of in ranges.items()}
    distributions = {labels[name]: _shown_range(of) for name, of in ranges.items()}
    return create_trial(
        value=trial.values[place], params=params, distributions=distributions, system_attrs=_missed(trial)
    )


def _missed(trial: Trial) -> dict[str, Any]:
    """As every version of Optuna reads it."""
    return {"constraints": [sum(trial.missed.values())]} if trial.missed else {}


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
    by_key = {key(name, trial): of for name, of in ranges.items()}
    return by_key.keys() == trial.params.keys() and all(holds(of, trial.params[key]) for key, of in by_key.items())


def _inferred(sweep: Sweep) -> dict[int, Ranges]:
    drawn: dict[str, list[Any]] = {}
    for trial in sweep.trials:
        for key, value in trial.params.items():
            drawn.setdefault(key, []).append(value)
    ranges = {key: _range(values) for key, values in drawn.items()}
    return {trial.number: {key: ranges[key] for key in trial.params} for trial in sweep.trials}


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


def _shown(value: Any, of: BaseDistribution) -> Any:
    return escaped(str(value)) if isinstance(of, CategoricalDistribution) else value


def _shown_range(of: BaseDistribution) -> BaseDistribution:
    """Categories as texts: of others Optuna would show 1, 1.0 and True as one."""
    if not isinstance(of, CategoricalDistribution):
        return of
    return CategoricalDistribution(tuple(dict.fromkeys(escaped(str(choice)) for choice in of.choices)))

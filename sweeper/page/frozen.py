"""The trials of a sweep as studies of Optuna's in memory, one an objective: for its plots and its importances.

Values come from the sweep's own journal. Texts are escaped, for Plotly obeys markup in them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweeper import text
from sweeper.page.figure import escaped
from sweeper.records.record import Sweep, Trial
from sweeper.search.ranges import Ranges, override_key

optuna.logging.set_verbosity(optuna.logging.ERROR)  # what a plot leaves out, the page says


def studies(sweep: Sweep, ranges: Mapping[int, Ranges]) -> list[optuna.Study]:
    """Their trials are those of the sweep, in order; all but the trained ones with a finite value count as failed."""
    names = list(dict.fromkeys(name for trial in sweep.trials for name in ranges[trial.number]))
    labels = {name: escaped(label) for name, label in zip(names, text.names(names), strict=True)}
    return [_study(sweep, place, ranges, labels) for place in range(len(sweep.started.directions))]


def _study(sweep: Sweep, place: int, ranges: Mapping[int, Ranges], labels: Mapping[str, str]) -> optuna.Study:
    rising = sweep.started.directions[place] == "maximize"
    study = optuna.create_study(direction="maximize" if rising else "minimize")
    study.add_trials(_frozen(trial, place, ranges[trial.number], labels) for trial in sweep.trials)
    return study


def _frozen(trial: Trial, place: int, ranges: Ranges, labels: Mapping[str, str]) -> FrozenTrial:
    if trial.state != "FINISHED" or trial.duplicate_of is not None or not math.isfinite(trial.values[place]):
        return create_trial(state=TrialState.FAIL)
    params = {labels[name]: _shown(trial.params[override_key(name, trial)], of) for name, of in ranges.items()}
    distributions = {labels[name]: _shown_range(of) for name, of in ranges.items()}
    return create_trial(
        value=trial.values[place], params=params, distributions=distributions, system_attrs=_missed(trial)
    )


def _missed(trial: Trial) -> dict[str, Any]:
    """As every version of Optuna reads it."""
    return {"constraints": [sum(trial.missed.values())]} if trial.missed else {}


def _shown(value: Any, of: BaseDistribution) -> Any:
    return escaped(str(value)) if isinstance(of, CategoricalDistribution) else value


def _shown_range(of: BaseDistribution) -> BaseDistribution:
    """Categories as texts: of others Optuna would show 1, 1.0 and True as one."""
    if not isinstance(of, CategoricalDistribution):
        return of
    return CategoricalDistribution(tuple(dict.fromkeys(escaped(str(choice)) for choice in of.choices)))

"""The trials of a study as numbers that a surrogate can learn from and a map can hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from optuna import Study
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from sweeper.sail import descriptor
from sweeper.sail.archive import Archive
from sweeper.sail.descriptor import Descriptor
from sweeper.sail.genome import Genome

_PRUNED = 0.25  # variance, of all values', that a pruned trial's last value is wrong by
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


@dataclass(frozen=True)
class Told:
    """Of n trials that ended. Values are turned so that higher is better."""

    numbers: np.ndarray  # (n,) of the trials
    genes: np.ndarray  # (n, genes)
    values: np.ndarray  # (n,) finite: of a trial that failed or diverged the worst of all
    extra_noise: np.ndarray  # (n,) variances in units of the values' own
    scaled: np.ndarray  # (n, descriptors) 0..1 along an axis of the map; NaN where it is not known
    can_lead: np.ndarray  # (n,) bool: trained to its end, so that it can be an elite
    running: np.ndarray  # (m, genes) of trials that have not ended yet

    def __len__(self) -> int:
        return len(self.numbers)

    def archive(self, descriptors: Sequence[Descriptor]) -> Archive:
        """Its holders are rows of this."""
        rows = np.flatnonzero(self.can_lead)
        numbers = descriptor.cells(descriptors, self.scaled[rows])
        return Archive.empty(descriptors).added(self.values[rows], numbers, rows)


def read(study: Study, genome: Genome, descriptors: Sequence[Descriptor], asking: int | None = None) -> Told:
    """asking: the number of the trial that is asked for now, which is none of the running ones."""
    trials = study.get_trials(deepcopy=False)
    ended = [trial for trial in trials if trial.state in _ENDED and trial.params]
    running = [
        trial for trial in trials if trial.state == TrialState.RUNNING and trial.params and trial.number != asking
    ]
    sign = 1.0 if study.direction == StudyDirection.MAXIMIZE else -1.0
    values = np.array([sign * _value(trial) for trial in ended], float)
    known = np.isfinite(values)
    can_lead = known & np.array([trial.state == TrialState.COMPLETE for trial in ended], bool)
    worst = values[known].min() if known.any() else 0.0
    return Told(
        numbers=np.array([trial.number for trial in ended], int),
        genes=genome.encode([trial.params for trial in ended]),
        values=np.where(known, values, worst),
        extra_noise=np.array([_PRUNED if trial.state == TrialState.PRUNED else 0.0 for trial in ended]),
        scaled=scaled(ended, descriptors),
        can_lead=can_lead,
        running=genome.encode([trial.params for trial in running]),
    )


def _value(trial: FrozenTrial) -> float:
    """NaN if nothing is known of it, infinite if it was ruined."""
    if trial.state == TrialState.COMPLETE:
        return trial.value
    heard = trial.intermediate_values
    return heard[max(heard)] if trial.state == TrialState.PRUNED and heard else math.nan


def scaled(trials: Sequence[FrozenTrial], descriptors: Sequence[Descriptor]) -> np.ndarray:
    """(n, descriptors) 0..1 along an axis of the map; NaN where it is not known."""
    axes = [axis.scaled(values(trials, axis)) for axis in descriptors]
    return np.stack(axes, axis=1) if trials else np.zeros((0, len(descriptors)))


def lacking(known: Told, descriptors: Sequence[Descriptor]) -> list[str]:
    """Names of the descriptors that no trial has told, and that are not known without a training."""
    missing = ~np.isfinite(known.scaled).any(axis=0)
    return [axis.name for axis, is_missing in zip(descriptors, missing, strict=True) if is_missing]


def values(trials: Sequence[FrozenTrial], axis: Descriptor) -> np.ndarray:
    """What trials told of a descriptor, or what is known of it without a training. (n,), NaN where neither is."""
    told = np.array([descriptor.number(trial.user_attrs.get(axis.name)) for trial in trials], float)
    unknown = np.flatnonzero(np.isnan(told))
    if axis.fn is not None and len(unknown):
        told[unknown] = axis.fn([trials[place].params for place in unknown])
    return told

"""What has changed between a search and its confirmation: other code, data or packages are no chance."""

from __future__ import annotations

from collections.abc import Iterable

from sweeper.errors import DataError
from sweeper.records.record import Trial
from sweeper.training import differences, origin
from sweeper.training.differences import Difference
from sweeper.training.origin import Origin


def between(candidate: Trial, trainings: Iterable[Trial]) -> list[Difference]:
    """Each once. Empty where the task leaves nothing to compare."""
    then = _origin(candidate)
    if then is None:
        return []
    anew = filter(None, map(_origin, trainings))
    return list(dict.fromkeys(one for now in anew for one in differences.of_seeds(then, now)))


def _origin(trial: Trial) -> Origin | None:
    try:
        return origin.read(trial.folder)
    except (OSError, DataError):  # another program's trial, or a file that somebody has changed
        return None

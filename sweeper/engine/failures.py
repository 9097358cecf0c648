"""How much may fail before a sweep ends: a mistake that all trials share is shown once, not n_trials times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from sweeper.errors import SweeperError
from sweeper.records.states import FAILURES, State
from sweeper.search.settings import Settings

_SAME = 3  # the first trials failing alike: the rest would too


class SweepFailed(SweeperError):
    """The sweep cannot go on, or too much of it failed."""

    exit_code = 1


def told(failure: Exception, folder: Path) -> Exception:
    """`failure`, or what to do about it if it is the disk's. folder: the sweep's."""
    if not isinstance(failure, OSError):
        return failure
    mended = SweepFailed(
        f"{folder}: {failure.strerror or failure}. All that ended until then is in it. Mend that, and go on with "
        f"the same command and hydra.sweeper.resume={folder}"
    )
    mended.__cause__ = failure
    return mended


class Failures:
    def __init__(self, settings: Settings, before: Iterable[State] = ()):
        """before: the states that trials of earlier sessions ended in."""
        self._n_trials, self._allowed = settings.n_trials, settings.max_failure_rate
        self._failed = sum(state in FAILURES for state in before)
        self._ended = 0  # in this session
        self._places: Counter[str | None] = Counter()  # where exceptions were raised

    def count(self, state: State, told: str | None = None, place: str | None = None) -> None:
        """told: of the failure, for the user. place: the same one again means the same mistake; None: it is chance.

        Raises: SweepFailed if it makes no sense to go on.
        """
        self._ended += 1
        if state not in FAILURES:
            return
        self._failed += 1
        self._places[place] += 1
        if place and self._places[place] == self._ended == _SAME:
            raise SweepFailed(
                f"The first {_SAME} trials failed alike, as the others would. Mend this, and start the sweep again:"
                f"\n\n{told}"
            )
        if self._failed > self._allowed * self._n_trials:
            raise SweepFailed(
                f"{self._failed} of {self._n_trials} trials failed, more than hydra.sweeper.max_failure_rate="
                f"{self._allowed} allows. Give a larger share and hydra.sweeper.resume to go on, or mend what the last "
                f"one failed of and start the sweep again:\n\n{told}"
            )

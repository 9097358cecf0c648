"""Where a coordinator gets its trials from. Unless a source says otherwise, it shares them with nobody."""

from __future__ import annotations

from collections.abc import Sequence

from sweeper.errors import SweeperError
from sweeper.records.events import TrialEnded


class StorageAway(SweeperError):
    """The storage of a source could not be reached any more when the sweep had to end."""

    exit_code = 1


class Source:
    """Besides, a source has `begun`, `ask`, `report` and `tell`, as `Study` has them."""

    is_ready = True  # to be asked
    is_shared = False  # with other coordinators: it is ready as long as not all of them together have n_trials
    waits_for_others = False  # they run what is left, and may be lost
    ended_elsewhere = 0  # trials
    waited = 0.0  # seconds that its storage was away for
    ended: Sequence[TrialEnded] = ()  # what became of trials that the journal has as open

    def refresh(self) -> None:
        """Looks at what other coordinators do."""

    def lost(self, number: int) -> bool:
        """Whether another coordinator has taken this trial over."""
        return False

    def bring(self, number: int, subdir: str) -> None:
        """What another coordinator has left of a trial, into the folder of it in this sweep's."""

    def settle(self, ended: TrialEnded) -> bool:
        """Whether it is this coordinator's to say how the trial ended, asked before anybody hears of it."""
        return True

    def taker(self, number: int) -> str:
        """Who has taken a trial over, for people."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing more is asked for or told."""

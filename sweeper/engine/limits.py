"""When a sweep has to end: `hydra.sweeper.timeout` and `deadline`, and what a deadline keeps back for the end."""

from __future__ import annotations

import re
import time
from copy import copy
from datetime import datetime, timedelta

from sweeper.errors import ConfigError
from sweeper.search.settings import Settings

_RESERVE = 30.0  # seconds to write the results and to let MLflow have them
_LAST = 5.0  # of them: to log the best network and to print the leaderboard
_NEXT_TIME = re.compile(r"([01]?\d|2[0-3]):[0-5]\d")


class Limits:
    """All times in seconds since 1970."""

    def __init__(self, settings: Settings):
        """Raises: ConfigError if the deadline is no time, or over."""
        self._last_start = time.time() + settings.timeout if settings.timeout is not None else None
        self.deadline = _parse(str(settings.deadline)) if settings.deadline is not None else None
        self._longest_epoch = 0.0  # seconds: the best network is tested in less

    def heard(self, seconds: float) -> None:
        """A trial took so long from one epoch to the next."""
        self._longest_epoch = max(self._longest_epoch, seconds)

    def without_timeout(self) -> Limits:
        """For what follows a search: only the deadline is left."""
        left = copy(self)
        left._last_start = None
        return left

    @property
    def search_end(self) -> float | None:
        """When running trials are stopped, so that the best one is tested and all is written by the deadline."""
        return self.deadline and self.deadline - _RESERVE - self._longest_epoch

    @property
    def left(self) -> float | None:
        """Seconds until the search ends, if it is limited."""
        ends = [end for end in (self._last_start, self.search_end) if end is not None]
        return max(0.0, min(ends) - time.time()) if ends else None

    def wait(self, wanted: float) -> float:
        """So many seconds of waiting, or fewer where the deadline comes before."""
        return wanted if self.deadline is None else min(wanted, max(1.0, self.deadline - _LAST - time.time()))

    def may_start(self) -> bool:
        """Whether another trial may begin."""
        return not self.is_over() and (self._last_start is None or time.time() < self._last_start)

    def is_over(self) -> bool:
        return self.search_end is not None and time.time() >= self.search_end


def _parse(deadline: str) -> float:
    """18:30 is the next such time, 2026-11-26T08:00 that one; both local unless the text names a zone."""
    now = datetime.now().astimezone()
    try:
        if _NEXT_TIME.fullmatch(deadline):
            hour, minute = map(int, deadline.split(":"))
            end = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
            end += timedelta(days=end <= now)
        else:
            end = datetime.fromisoformat(deadline).astimezone()
    except ValueError:
        raise ConfigError(
            f"hydra.sweeper.deadline={deadline}: not a time. Give 18:30, or with the day 2026-11-26T08:00."
        ) from None
    if end <= now + timedelta(seconds=_RESERVE):
        raise ConfigError(
            f"hydra.sweeper.deadline={deadline}: it is {now:%Y-%m-%d %H:%M:%S} now, and the end of a sweep takes "
            f"{_RESERVE:.0f} seconds. Give a later one."
        )
    return end.timestamp()

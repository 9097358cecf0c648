"""A database that is away is waited for: trials train on meanwhile, and what they report is told when it is back."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from sweeper import text
from sweeper.search.source import StorageAway
from sweeper.secret import without_credentials

T = TypeVar("T")
_AWAY = (OperationalError, InterfaceError, PoolTimeout, PendingRollbackError)  # the last: Optuna asked on regardless
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 2.0  # seconds between two attempts

_log = logging.getLogger(__name__)


class Outage:
    def __init__(self, address: str, is_over: Callable[[], bool]):
        """address: of the database, for people. is_over: whether the sweep has to end."""
        self._name, self._is_over = f"The database {without_credentials(address)}", is_over
        self.seconds = 0.0  # that were waited in all

    def outlast(self, action: Callable[[], T]) -> T:
        """What it gives, as soon as the database answers. It must bear to be repeated.

        Raises: StorageAway if the sweep has to end before.
        """
        try:
            return action()
        except Exception as error:  # an old connection may be broken: the next one is a new one
            if not is_temporary(error):
                raise
        began, is_told, pause = time.monotonic(), False, _FIRST_PAUSE
        while True:
            try:
                result = action()
            except Exception as error:
                if not is_temporary(error):
                    raise
                if not is_told:
                    _log.warning(f"{self._name} cannot be reached; it is waited for: {reason(error)}")
                is_told = True
                if self._is_over():
                    raise StorageAway(f"{self._name} could not be reached any more: {reason(error)}") from error
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                away = time.monotonic() - began
                self.seconds += away
                if is_told:
                    _log.warning(f"{self._name} is back after {text.duration(away)}, and nothing was lost.")
                return result


def is_temporary(error: BaseException | None) -> bool:
    """Whether it may pass: the database is away, or too busy. Optuna wraps what its database raises."""
    while error is not None:
        if isinstance(error, _AWAY):
            return True
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            return True
        error = error.__cause__
    return False


def reason(error: BaseException) -> str:
    """What the database's own program says, on a line and without secrets."""
    while error.__cause__ is not None:
        error = error.__cause__
    return text.first_line(without_credentials(text.error(error)))

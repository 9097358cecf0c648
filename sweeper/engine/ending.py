"""How a search or a confirmation ends: as it should, because the user wants it, or by what makes it senseless."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sweeper.engine import failures
from sweeper.engine.mishap import INTERRUPTED
from sweeper.engine.session import Session
from sweeper.engine.stopping import sigterm_as_ctrl_c


def write(
    failure: Exception | None,
    session: Session,
    sweep: Path,
    finish: Callable[[], Any],
    break_off: Callable[[str, str], Any],
) -> int:
    """By one of the two functions; returns the exit code.

    failure: what ended it before its time. sweep: its folder. break_off: hears the state and its reason.
    Raises: `failure`, with what to do about it.
    """
    with sigterm_as_ctrl_c():
        if not failure and not session.stopping.requested:
            finish()
            return 0
        session.executor.close()  # before MLflow is waited for: nothing trains on
        if failure:
            with suppress(OSError):  # what was told is in the journal
                break_off("FAILED", str(failure))
            raise failures.told(failure, sweep)
        break_off("INTERRUPTED", "the user stopped it")
        return INTERRUPTED

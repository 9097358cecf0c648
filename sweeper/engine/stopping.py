"""A request to end a sweep, or a training, with everything told and saved: Ctrl-C, SIGTERM, or a file in its folder."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FILE = "stop"  # its presence is the request: it reaches a sweep on any machine that shares the disk


def request(folder: Path) -> None:
    """Raises: OSError if it cannot be written there."""
    (folder / FILE).touch()


class Stopping:
    def __init__(self, folder: Path):
        """For who holds the journal of `folder`. A request that came too late for the last session is none."""
        self._file, self._heard = folder / FILE, False
        self._file.unlink(missing_ok=True)

    @property
    def requested(self) -> bool:
        if not self._heard and self._file.exists():
            self._heard = True
            self._file.unlink(missing_ok=True)
        return self._heard

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """The first Ctrl-C or SIGTERM asks for a clean end; a second one takes its usual course."""

        def stop(number: int, _: Any) -> None:
            self._heard = True
            signal.signal(number, before[number])

        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        for number in before:
            signal.signal(number, stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """While the best network is tested and MLflow waited for: either of them ends that alone, and the sweep is told."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

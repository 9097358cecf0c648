"""How jobs on other machines know that their sweep lives: a file that it writes again and again."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

LOOK = 5.0  # seconds between two beats, and between two looks of a job
_MISSED = 12  # looks without a beat after which a sweep is dead. Not seconds: a disk that hangs, hangs for both


class Heart:
    """Beats from a thread of its own, whatever else the process waits for; not in one that stands still."""

    def __init__(self, file: Path):
        """Raises: OSError if it cannot be written."""
        self._file, self._beats, self._stopped = file, 0, threading.Event()
        self._write()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """For good: jobs end at their next look."""
        self._stopped.set()
        self._thread.join()
        self._file.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._stopped.wait(LOOK):
            with suppress(OSError):  # a disk with no room: what matters finds out by itself
                self._write()

    def _write(self) -> None:
        """Closed after each beat, and opened for each look: so NFS takes neither from memory."""
        self._beats += 1
        self._file.write_text(str(self._beats))


class Pulse:
    """Felt by a job."""

    def __init__(self, file: Path):
        self._file, self._last, self._missed = file, "", 0

    def beats(self) -> bool:
        """At each look. False once the sweep has ended, or seems to be dead."""
        try:
            last = self._file.read_text()
        except FileNotFoundError:
            return False
        except OSError:  # the disk is away
            last = self._last
        self._missed = self._missed + 1 if last == self._last else 0
        self._last = last
        return self._missed < _MISSED

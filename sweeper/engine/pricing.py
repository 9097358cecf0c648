"""What networks will cost, for a sampler to know before it asks for their training: a process builds each and counts.

Not the coordinator's own: it would have to import TensorFlow, and nothing is to run through code of the user's in it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import psutil

from sweeper.engine import enquiry, process
from sweeper.engine.process import Process
from sweeper.engine.stopping import Stopping
from sweeper.machine import hardware
from sweeper.training import size

_NAME = "pricing"  # of the process, and of its log
_PATIENCE = 60  # seconds for one network; the first one waits for TensorFlow
_TICK = 0.5  # seconds until a request to stop is noticed
_LOSSES = 2  # in a row, after which it is left alone
_NO_GPU = "-1"
_log = logging.getLogger(__name__)


class Pricing:
    """Its process begins when it is first asked, and anew if it was lost."""

    def __init__(self, work: bytes, logs: Path, preload: Sequence[str], stopping: Stopping):
        """work: a pickled `slot.Work`. preload: modules that the slots import, too."""
        self._work, self._logs, self._preload, self._stopping = work, logs, preload, stopping
        self._process: Process | None = None
        self._losses = 0

    def ask(self, overrides: Sequence[str]) -> Mapping[str, float]:
        """What `size.count` tells of a trial.

        Nothing where its network cannot be built, as its trial will tell, too; where the process took too long or was
        lost; and when the sweep shall stop.
        """
        if self._losses >= _LOSSES:
            return {}
        try:
            if self._process is None:
                self._begin()
            self._process.send(list(overrides))
            if self._answered():
                told = self._process.connection.recv()
                self._losses = 0
                return told
        except (EOFError, OSError, psutil.NoSuchProcess) as error:  # also of what it is forked from
            _log.warning("The process that tells what networks cost was lost: %s", error)
        self._losses += 1
        self.close()
        return {}

    def close(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None

    def _answered(self) -> bool:
        """Waits for that."""
        last = time.monotonic() + _PATIENCE
        while time.monotonic() < last and not self._stopping.requested:
            if self._process.connection.poll(_TICK):
                return True
        return False

    def _begin(self) -> None:
        surroundings = process.surroundings(threads=1, card=None) | {"CUDA_VISIBLE_DEVICES": _NO_GPU}
        context = process.context(self._preload, hardware.gpus())
        main = partial(enquiry.main, size.count, "network", {})
        self._process = process.begin(context, _NAME, main, self._work, self._logs, surroundings, self._preload)

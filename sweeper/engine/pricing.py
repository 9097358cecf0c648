"""What networks will cost, for a sampler to know before it asks for their training: a process builds each and counts.

Not the coordinator's own: it would have to import TensorFlow, and nothing is to run through code of the user's in it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from hydra.core.hydra_config import HydraConfig

from sweeper.config.composer import Composer
from sweeper.engine import process, slot
from sweeper.engine.process import Process
from sweeper.machine import hardware
from sweeper.training import size

_NAME = "pricing"  # of the process, and of its log
_PATIENCE = 60  # seconds for one network; the first one waits for TensorFlow
_NO_GPU = "-1"
_log = logging.getLogger(__name__)


class Pricing:
    """Its process begins when it is first asked, and anew if it was lost."""

    def __init__(self, work: bytes, logs: Path, preload: Sequence[str] = ()):
        """work: a pickled `slot.Work`. preload: modules that the slots import, too."""
        self._work, self._logs, self._preload = work, logs, preload
        self._process: Process | None = None

    def ask(self, overrides: Sequence[str]) -> Mapping[str, float]:
        """What `size.count` tells of a trial; nothing if its network cannot be built, as the trial would tell, too."""
        if self._process is None:
            self._begin()
        self._process.send(list(overrides))
        try:
            if self._process.connection.poll(_PATIENCE):
                return self._process.connection.recv()
        except (EOFError, OSError):
            pass
        self.close()
        return {}

    def close(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None

    def _begin(self) -> None:
        surroundings = process.surroundings(threads=1, card=None) | {"CUDA_VISIBLE_DEVICES": _NO_GPU}
        context = process.context(self._preload, hardware.gpus())
        self._process = process.begin(context, _NAME, main, self._work, self._logs, surroundings, self._preload)


def main(connection: Connection, log: str, environment: Mapping[str, str], preload: Sequence[str]) -> None:
    """Of the process, until it is sent None."""
    work = slot.begin(connection, log, environment, preload)
    HydraConfig.instance().set_config(work.config)  # which functions it may call
    composer = Composer(work.context.config_loader, work.config)
    while (overrides := connection.recv()) is not None:
        try:
            connection.send(size.count(composer.compose(overrides)))
        except Exception:
            _log.exception("no network of %s", " ".join(overrides))
            connection.send({})

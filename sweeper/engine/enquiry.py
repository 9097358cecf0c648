"""A process that is asked about trials instead of training them: it composes each, and tells something of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from sweeper.config.composer import Composer
from sweeper.engine import slot

_log = logging.getLogger(__name__)


def main(
    tell: Callable[[DictConfig], Any],
    subject: str,
    nothing: Any,
    connection: Connection,
    log: str,
    environment: Mapping[str, str],
    preload: Sequence[str],
) -> None:
    """Until it is sent None: overrides of a trial -> what `tell` says of its config, or `nothing` if that raises.

    subject: of what it tells, for the log. The rest: see `slot.begin`.
    """
    work = slot.begin(connection, log, environment, preload)
    HydraConfig.instance().set_config(work.config)  # which functions it may call
    composer = Composer(work.context.config_loader, work.config)
    while (overrides := connection.recv()) is not None:
        try:
            connection.send(tell(composer.compose(overrides)))
        except Exception:
            _log.exception("no %s of %s", subject, " ".join(overrides))
            connection.send(nothing)

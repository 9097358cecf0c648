"""One process's go at a sweep: what its search and its confirmation have in common."""

from __future__ import annotations

from dataclasses import dataclass, field

from sweeper.engine.executor import Executor
from sweeper.engine.limits import Limits
from sweeper.engine.stopping import Stopping
from sweeper.engine.waiting import Waiting
from sweeper.search.settings import Settings


@dataclass(frozen=True)
class Session:
    settings: Settings
    executor: Executor  # started
    limits: Limits
    stopping: Stopping
    waiting: Waiting = field(default_factory=Waiting)  # those of its slots that an earlier coordinator has left so

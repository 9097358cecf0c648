"""Corners tried side by side, each in a process of its own: on slots like those that the sweep would have."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sweeper.engine.executor import Died, Done, Executor, Raised, Ready, TrialJob
from sweeper.engine.slot import Work
from sweeper.planning.corners import Corner
from sweeper.planning.preflight import Measured
from sweeper.search.space import Space

TICK = 1.0  # seconds


@dataclass(frozen=True)
class Tried:
    corner: Corner
    measured: Measured | None = None
    failure: str | None = None  # in a line; None = it would run


def try_out(
    corners: Sequence[Corner],
    space: Space,
    work: Work,
    executor: Executor,
    folder: Path,
    tick: Callable[[int], None],
) -> tuple[list[Tried], float]:
    """What each corner costs or fails of, in the order given; and the seconds until the first slot was ready.

    work: with `preflight.measure` as its task.
    executor: not started yet, and with a new process for each job: only so is the peak of memory one corner's.
    tick: hears every second how many corners are done.
    """
    found = {
        number: Tried(corner, failure=_line(corner.problem)) for number, corner in enumerate(corners) if corner.problem
    }
    waiting = deque(number for number in range(len(corners)) if number not in found)
    running: dict[int, int] = {}  # slot -> corner
    began, start_up = time.monotonic(), 0.0
    if waiting:
        executor.start(work.pickled(), str(folder / "slots"))
    while len(found) < len(corners):
        for message in executor.wait(TICK):
            slot = message.slot
            if isinstance(message, Ready):
                start_up = start_up or time.monotonic() - began
                if waiting:
                    running[slot] = number = waiting.popleft()
                    executor.submit(slot, TrialJob(number, space.overrides(corners[number].params), str(number)))
            elif slot in running:
                number = running.pop(slot)
                if isinstance(message, Died) and message.by_us:
                    waiting.append(number)
                    continue
                found[number] = _tried(corners[number], message)
        tick(len(found))
    return [found[number] for number in range(len(corners))], start_up


def _tried(corner: Corner, message: Done | Raised | Died) -> Tried:
    if isinstance(message, Done):
        return Tried(corner, Measured(**message.facts))
    return Tried(corner, failure=_line(message.reason))


def _line(reason: str) -> str:
    """The reason without what Hydra adds to it: the places where it looked for a config."""
    return " ".join(reason.partition("Config search path")[0].split())

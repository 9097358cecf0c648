"""Ctrl-C and SIGTERM while a coordinator works: they ask for an end with everything told, and a second one insists."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sweeper.coordinator import Coordinator

INTERRUPTED = 130  # what a shell expects of a program that Ctrl-C ended


def run(coordinator: Coordinator) -> Exception | None:
    """What ended it before its time. Even a bug of ours must leave a sweep with its results written."""
    try:
        with _stopping(coordinator):
            coordinator.run()
    except Exception as error:
        return error
    return None


@contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """While the best network is tested and MLflow waited for: either of them ends that alone, and the sweep is told."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _stopping(coordinator: Coordinator) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM asks for a clean end; a second one takes its usual course."""

    def stop(number: int, _: Any) -> None:
        coordinator.stop_requested = True
        signal.signal(number, before[number])

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

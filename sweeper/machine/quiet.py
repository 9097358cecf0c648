"""Streams that are silent for a while, also for code that writes there without Python."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

STDOUT, STDERR = 1, 2


@contextmanager
def silence(*streams: int) -> Iterator[None]:
    """A child that is begun meanwhile writes nothing there, either, and keeps nobody waiting for their end."""
    ours, nowhere = [os.dup(stream) for stream in streams], os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(nowhere, stream)
    try:
        yield
    finally:
        for stream, file in zip(streams, ours, strict=True):
            os.dup2(file, stream)
            os.close(file)
        os.close(nowhere)

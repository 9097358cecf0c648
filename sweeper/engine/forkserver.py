"""A process that imports TensorFlow once, while the user's process still composes, and is then forked into slots.

A slot, also one that takes another's place, is there in milliseconds, and all share the memory of what is imported.
TensorFlow starts no thread when it is imported, and looks for no GPU: a fork begins as a fresh process would.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from multiprocessing.forkserver import ensure_running

from sweeper.machine import inherited
from sweeper.machine.quiet import STDERR, STDOUT, silence


def begin(modules: Sequence[str]) -> BaseContext:
    """Starts it, unless it runs, and returns at once; the first process that is asked of it waits for its imports.

    modules: that start no threads. One that is not found, a slot tries again, and tells so.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(modules))
    surroundings = {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),  # it would look into the working folder instead
        "PYTHONSAFEPATH": "1",
        # NumPy's BLAS would start threads when it is imported, as many as it will ever have. TensorFlow has its own.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2"),
    }
    quietly = silence(STDOUT, STDERR)
    with inherited.environment(surroundings), quietly, inherited.deafness_to_signals(), _room_for_a_socket():
        ensure_running()
    return context


@contextmanager
def _room_for_a_socket() -> Iterator[None]:
    """The path of a socket has 107 bytes at most, and the temporary folders of some clusters almost as many."""
    usual = tempfile.tempdir
    if len(os.fsencode(tempfile.gettempdir())) > 107 - len("/pymp-12345678/listener-12345678"):
        tempfile.tempdir = "/tmp"
    try:
        yield
    finally:
        tempfile.tempdir = usual

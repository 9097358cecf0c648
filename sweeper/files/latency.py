"""How long an answer takes, by one protocol wherever it is asked for: of a trial, and of each exported file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from statistics import median

import numpy as np

from sweeper.machine import hardware

WARM_UP = 5  # calls before the first that is timed: the first one traces, the next ones allocate
CALLS = 100  # timed at most
SECONDS = 2.0  # after which no further call is timed, and none is made before the first that is
PROTOCOL = f"median of up to {CALLS} answers within {SECONDS:g} s, after up to {WARM_UP} others"


@dataclass(frozen=True)
class Timed:
    milliseconds: float  # the median
    calls: int  # that it is of: one, where a single call takes SECONDS


def timed(answer: Callable[[], object]) -> Timed:
    """Repeated calls; what else the machine does at that moment disturbs them."""
    _seconds(answer, WARM_UP)
    times = _seconds(answer, CALLS)
    return Timed(1e3 * median(times), len(times))


def of(classify: Callable[[np.ndarray], np.ndarray], images: np.ndarray, size: int) -> Timed:
    """For a batch of `size` of these images, repeated where they are fewer."""
    batch = images[np.arange(size) % len(images)]
    return timed(lambda: classify(batch))


def _seconds(answer: Callable[[], object], most: int) -> list[float]:
    """Of each call: at most so many, and none after SECONDS."""
    times: list[float] = []
    while len(times) < most and sum(times) < SECONDS:
        began = time.perf_counter()
        answer()
        times.append(time.perf_counter() - began)
    return times


def threads() -> int:
    """That TensorFlow computes with in this process. Other runtimes get as many: only so do they compare."""
    import tensorflow as tf

    chosen = tf.config.threading.get_intra_op_parallelism_threads() or os.environ.get("TF_NUM_INTRAOP_THREADS")
    return int(chosen or hardware.cores())


def use_one_thread() -> None:
    """For TensorFlow. A process that has computed already stays as it is."""
    import tensorflow as tf

    with suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)

"""How fast this machine trains: what `auto` in conf/trainer becomes, by a short measurement kept for the next time."""

from __future__ import annotations

import fcntl
import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from io import FileIO
from pathlib import Path
from statistics import median
from typing import Any

import tensorflow as tf

from sweeper.machine import hardware
from sweeper.training.pipeline import Batches
from sweeper.training.program import Program

NAME = "measured.json"  # in the cache's folder
FLOAT32 = "float32"
GAIN = 1.1  # at least, for a precision other than float32: what is hardly faster is not worth its rounding
STEPS, SECONDS = 20, 0.5  # timed at most; after which no further one is
EXECUTION = 0.25  # seconds between returns to Python, which then cost about 1 %
FASTEST = 1e-3  # seconds of a step, however small: a GPU has to be told each operation
SIDE, SHARE = 1024, 0.5  # of the matrices whose product is timed; of that speed a training reaches on a CPU


_log = logging.getLogger(__name__)


def precision(work: str, seconds: Callable[[str], float], folder: Path | None) -> str:
    """The fastest one for training.

    work: what is trained, as words. seconds: precision -> those of a step, measured.
    """
    others = _precisions()
    if not others:
        return FLOAT32

    def measure() -> dict[str, float]:
        return {FLOAT32: seconds(FLOAT32)} | {each: _if_possible(seconds, each) for each in others}

    measured = _once(f"seconds a step of {work}", measure, folder)
    gains = {each: measured[FLOAT32] / measured[each] for each in others}
    best = max(gains, key=gains.__getitem__)
    return best if gains[best] >= GAIN else FLOAT32


def steps_at_once(mflops: float, batch_size: int, folder: Path | None) -> int:
    """How many a program should do before it returns to Python. mflops: of an image, forward; backward costs twice."""
    speed = _once("MFLOP/s of a matrix product", _product, folder)
    return max(1, int(EXECUTION / max(FASTEST, 3 * mflops * batch_size / (SHARE * speed))))


def seconds_a_step(program: Program, batches: Batches) -> float:
    """The median of some."""
    train, images = program.model.make_train_function() or program.model.train_function, iter(batches.train(0))
    train(images)  # traces
    return median(_times(lambda: float(train(images)["loss"])))  # a GPU's is there only when it is read


def _precisions() -> Sequence[str]:
    """Those beside float32 that this machine calculates in."""
    cards = tf.config.list_physical_devices("GPU")
    if cards:
        generation = tf.config.experimental.get_device_details(cards[0]).get("compute_capability", (0, 0))
        return ["mixed_bfloat16"] if generation >= (8, 0) else ["mixed_float16"] if generation >= (7, 0) else []
    return ["mixed_bfloat16"] if hardware.flags() & {"amx_bf16", "avx512_bf16"} else []


def _if_possible(seconds: Callable[[str], float], precision: str) -> float:
    """Infinite for a network with a layer that cannot do it."""
    try:
        return seconds(precision)
    except Exception as error:
        _log.warning("trainer.precision=auto does without %s: %s", precision, error)
        return math.inf


def _product() -> float:
    matrix = tf.random.stateless_normal((SIDE, SIDE), (0, 0))
    seconds = min(_times(lambda: tf.reduce_max(tf.matmul(matrix, matrix)).numpy()))
    return 2 * SIDE**3 / seconds / 1e6


def _times(once: Callable[[], Any]) -> list[float]:
    """Seconds of each; the first one, which allocates, is not among them."""
    once()
    times: list[float] = []
    while len(times) < STEPS and sum(times) < SECONDS:
        began = time.perf_counter()
        once()
        times.append(time.perf_counter() - began)
    return times


def _once(what: str, measure: Callable[[], Any], folder: Path | None) -> Any:
    """What `measure` returned the first time on such a machine, which is kept in `folder`.

    Other processes wait meanwhile: they would measure each other. A folder that cannot be written costs time only.
    """
    if folder is None:
        return measure()
    with ExitStack() as stack:
        try:
            file = stack.enter_context(_locked(folder))
        except OSError:
            return measure()
        known = _read(file.readall())
        here = known.setdefault(f"{hardware.name()}, TensorFlow {tf.__version__}", {})
        if what not in here:
            here[what] = measure()
            with suppress(OSError):  # the disk is full
                file.truncate(0)
                file.write(json.dumps(known, indent=1).encode())
        return here[what]


@contextmanager
def _locked(folder: Path) -> Iterator[FileIO]:
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / NAME, "ab+", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        yield file


def _read(text: bytes) -> dict[str, dict[str, Any]]:
    """Nothing, if another process was killed while it wrote."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and all(isinstance(each, dict) for each in found.values()) else {}

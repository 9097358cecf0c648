"""How fast this machine trains: what `auto` in conf/trainer becomes, by a short measurement kept for the next time."""

from __future__ import annotations

import fcntl
import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from io import FileIO
from pathlib import Path
from typing import Any

import tensorflow as tf

from sweeper.machine import hardware
from sweeper.training.pipeline import Batches
from sweeper.training.program import Program

NAME = "measured.json"  # in the cache's folder
FLOAT32 = "float32"
GAIN = 1.1  # at least, for a precision other than float32: what is hardly faster is not worth its rounding
STEPS = 20  # of each precision that are timed at most
SECONDS = 0.5  # for each precision, after which no further step is timed
EXECUTION = 0.25  # seconds between returns to Python, which then cost about 1 %
FASTEST = 1e-3  # seconds of a step, however small: a GPU has to be told each operation
COMPILED = 2000  # steps of a training: XLA takes 3 to 9 s more to compile on a GPU, and then a third of a step's 8 ms
SIDE = 1024  # of the matrices whose product is timed
SHARE = 0.5  # of that product's speed, which a training reaches on a CPU

_log = logging.getLogger(__name__)


def precision(work: str, seconds: Callable[[Sequence[str]], dict[str, float]], folder: Path | None) -> str:
    """The fastest one for training.

    work: what is trained, as words. seconds: precisions -> those of a step in each, measured.
    """
    others = _precisions()
    if not others:
        return FLOAT32
    measured = _once(f"seconds a step of {work}", lambda: seconds([FLOAT32, *others]), folder)
    gains = {each: measured[FLOAT32] / measured[each] for each in others}
    best = max(gains, key=gains.__getitem__)
    return best if gains[best] >= GAIN else FLOAT32


def steps_at_once(mflops: float, batch_size: int, folder: Path | None) -> int:
    """How many a program should do before it returns to Python. mflops: of an image, forward; backward costs twice."""
    speed = _once("MFLOP/s of a matrix product", _product, folder)
    return max(1, int(EXECUTION / max(FASTEST, 3 * mflops * batch_size / (SHARE * speed))))


def pays_to_compile(steps: int) -> bool:
    """By XLA. steps: of the whole training. Never on a CPU, where oneDNN is several times faster."""
    return steps >= COMPILED and bool(tf.config.list_physical_devices("GPU")) and _has_xla()


def seconds_a_step(precisions: Sequence[str], begun: Callable[[str], tuple[Program, Batches]]) -> dict[str, float]:
    """Of each precision, in turns: other work on the machine then slows all of them. Infinite for one that a layer of
    the network cannot do.

    begun: precision -> a training in it.
    """
    steps = {}
    for each in precisions:
        try:
            steps[each] = _step(*begun(each))
        except Exception as error:
            if each == FLOAT32:
                raise
            _log.warning("trainer.precision=auto does without %s: %s", each, error)
    return dict.fromkeys(precisions, math.inf) | _least(steps)


def _precisions() -> Sequence[str]:
    """Those beside float32 that this machine calculates in."""
    cards = tf.config.list_physical_devices("GPU")
    if cards:
        generation = tf.config.experimental.get_device_details(cards[0]).get("compute_capability", (0, 0))
        return ["mixed_bfloat16"] if generation >= (8, 0) else ["mixed_float16"] if generation >= (7, 0) else []
    return ["mixed_bfloat16"] if hardware.flags() & {"amx_bf16", "avx512_bf16"} else []


@cache
def _has_xla() -> bool:
    """Whether it finds what it compiles with: it comes with `tensorflow[and-cuda]`, but not with every CUDA."""
    try:
        tf.function(tf.math.tanh, jit_compile=True)(tf.ones(2)).numpy()
    except tf.errors.OpError as error:
        _log.warning("trainer.jit_compile=auto does without XLA: %s", error.message)
        return False
    return True


def _step(program: Program, batches: Batches) -> Callable[[], float]:
    """What does the next step, traced."""
    train, images = program.model.make_train_function() or program.model.train_function, iter(batches.train(0))

    def step() -> float:
        return float(train(images)["loss"])  # a GPU's is there only when it is read

    step()
    return step


def _product() -> float:
    matrix = tf.random.stateless_normal((SIDE, SIDE), (0, 0))
    times = _least({"product": lambda: tf.reduce_max(tf.matmul(matrix, matrix)).numpy()})
    return 2 * SIDE**3 / times["product"] / 1e6


def _least(works: Mapping[str, Callable[[], Any]]) -> dict[str, float]:
    """Seconds of each, done in turns: the least, which other work on the machine lengthens least."""
    for work in works.values():
        work()  # allocates
    times: dict[str, list[float]] = {name: [] for name in works}
    began = time.perf_counter()
    for _ in range(STEPS):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - start)
        if time.perf_counter() - began > SECONDS * len(works):
            break
    return {name: min(each) for name, each in times.items()}


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

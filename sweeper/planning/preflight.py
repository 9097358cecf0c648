"""One trial in small: all that a trial does, but only a few steps, and what they cost. Runs in a process of its own."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from sweeper.files import costs
from sweeper.training import instances, trial

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from sweeper.training.clock import Clock
    from sweeper.training.trainer import Trainer

SLOW_STEP = 1e5  # millions of operations; a second on a few cores: what Python adds to it is not to be seen


@dataclass(frozen=True)
class Measured:
    """What a trial costs. As what a task returns, its `value` is the trial's seconds and the rest are its facts."""

    parameters: int
    mflops: float  # of one image, forward
    memory: int  # bytes, the most that the process held after the data was loaded
    gpu_memory: int | None  # bytes, None without a GPU
    step: float  # seconds
    start_up: float  # seconds: data from the cache, network, traced graphs
    seconds: float  # of the trial: all its epochs with their validation

    @property
    def value(self) -> float:
        return self.seconds

    @property
    def facts(self) -> dict[str, Any]:
        return asdict(self)


def measure(cfg: DictConfig) -> Measured:
    """A task for Hydra. Writes nothing but into the folder of its sweep.

    Raises: what the trial would.
    """
    _die_first()
    trial.check(cfg)
    trainer = instances.make(cfg, "trainer")
    if cfg.get("cache"):
        cfg.cache = str(Path(HydraConfig.get().sweep.dir) / "cache")
    instances.dataset(cfg)  # into the cache: loaded for the first time, it takes other time and memory than in a trial
    from sweeper.training import clock, start  # noqa: F401  nothing is imported while something is timed

    settled = start.settled(cfg, trainer)
    _forget_peak()
    return _measure(cfg, settled)


def _measure(cfg: DictConfig, trainer: Trainer) -> Measured:
    from sweeper.training.clock import Clock
    from sweeper.training.judged import Judged
    from sweeper.training.program import Program
    from sweeper.training.start import prepare

    began = time.perf_counter()
    start = prepare(cfg, trainer)
    net, batches = start.parts.net, start.batches
    mflops = costs.mflops(net)
    if 3 * mflops * trainer.batch_size > SLOW_STEP:  # backward costs twice what forward does
        start.parts.trainer = replace(trainer, steps_per_execution=1)
    program = Program(start.parts, batches.steps)
    model, clock, judged = program.model, Clock(), Judged(program, batches.train)
    built = time.perf_counter() - began

    model.fit(batches.train(0), steps_per_epoch=10**6, callbacks=[judged, clock], shuffle=False, verbose=0)
    step, tracing = clock.step, clock.tracing
    judging = [_judge(model, batches.validation, judged, clock) for _ in range(2)]
    start_up = built + tracing + max(0.0, judging[0] - judging[1])
    return Measured(
        net.count_params(),
        mflops,
        _peak(),
        _gpu_peak(),
        step,
        start_up,
        start_up + trainer.epochs * (batches.steps * step + judging[1]),
    )


def _judge(model: keras.Model, validation: tf.data.Dataset, judged: keras.callbacks.Callback, clock: Clock) -> float:
    """Seconds of a whole validation, of which a few batches are run."""
    began = time.perf_counter()
    model.evaluate(validation, callbacks=[judged, clock], verbose=0)
    left = max(0, int(validation.cardinality()) - clock.steps)
    return time.perf_counter() - began + left * clock.step


def _die_first() -> None:
    """Should the machine run out of memory, then no other process of the user is to be killed for it."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _forget_peak() -> None:
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        tf.config.experimental.reset_memory_stats("GPU:0")
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """Bytes. Not getrusage's: that one begins with what the parent held when it started this process."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _gpu_peak() -> int | None:
    import tensorflow as tf

    return tf.config.experimental.get_memory_info("GPU:0")["peak"] if tf.config.list_physical_devices("GPU") else None

"""Seconds of a training step with batch norm as one operation, as a program traces it, against Keras' own layer.

python benchmarks/norm.py model=custom dataset=cifar10 dataset.path=data/cifar-10-batches-py

Both programs live in one process of one thread and take turns; the seconds are the processor's, so that other work on
the machine disturbs them little. The share of the peak is as in train.py.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import paired
import table
import train
import work

from sweeper.machine.quiet import STDERR, silence

KINDS = [("float32", 64), ("mixed_bfloat16", 64), ("mixed_bfloat16", 128)]
STOCK, ONE = "Keras' layer", "one operation"


def steps(overrides: list[str]) -> tuple[dict[str, Callable[[], float]], float]:
    """What does a traced step in each way, and the millions of operations that an image takes in it."""
    from sweeper.training import twins

    is_fused, ways = twins.is_fused, {}
    for way in (STOCK, ONE):
        twins.is_fused = is_fused if way == ONE else lambda layer: False
        program, batches = work.begun([*overrides, "trainer.steps_per_execution=1"])
        ways[way] = _step(program.model.make_train_function() or program.model.train_function, batches)
    return ways, train.operations(program.net)


def _step(function: Callable[[Any], Any], batches: Any) -> Callable[[], float]:
    images = iter(batches.train(0))

    def step() -> float:
        return float(function(images)["loss"])

    step()
    return step


def seconds(once: Callable[[], float]) -> float:
    """Of the processor."""
    began = time.process_time()
    once()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="for instance dataset=cifar10 model=resnet")
    parser.add_argument("--steps", type=int, default=10, help="of each way (default: %(default)s)")
    args = parser.parse_intermixed_args()
    with silence(STDERR):
        import tensorflow as tf
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    rows = []
    for precision, batch in KINDS:
        ways, operations = steps([*args.overrides, f"trainer.precision={precision}", f"trainer.batch_size={batch}"])
        taken = {way: [] for way in ways}
        for _ in range(args.steps):
            for way, step in ways.items():
                taken[way].append(seconds(step))
        peak = train.peak("bfloat16" if "bfloat16" in precision else "float32", time.process_time)
        shares = (f"{operations * batch / median(each) / peak:.0%}" for each in taken.values())
        speeds = (f"{batch / median(each):.0f}" for each in taken.values())
        rows.append((f"{precision} {batch}", *speeds, f"{paired.ratio(taken[STOCK], taken[ONE]):.2f}", *shares))
    titles = [f"{what}, {way}" for what in ("images/s", "of the peak") for way in (STOCK, ONE)]
    table.show(f"medians of {args.steps} steps", (*titles[:2], "times as fast", *titles[2:]), rows)


if __name__ == "__main__":
    main()

"""Images a second while a network trains: by precision and batch, against the notes' way and the machine's own peak.

python benchmarks/train.py dataset=cifar10 dataset.path=data/cifar-10-batches-py --out docs/pictures/train.png

The notes' way is float32 arrays of NumPy into keras.fit, 64 images a step. Each way is a process of its own that trains
two epochs, of which the second is timed; the ways take turns. The share is of the operations that the same machine
does in a large product of two matrices in the type of that way: three times the network's own, for backward costs two,
but for the first layer's, which needs no gradient of the images.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import paired
import picture
import table

NOTES = "notes"
WAYS = [NOTES, *(f"{precision} {batch}" for precision in ("float32", "mixed_bfloat16") for batch in (64, 128, 256))]
SIDE, PRODUCTS = 4096, 5  # of the matrices


def once(way: str, overrides: list[str], images: int) -> tuple[float, float, float]:
    """Images a second, millions of operations of an image, the peak's millions of operations a second."""
    from sweeper.config.compose import composed

    precision, batch = ("float32", "64") if way == NOTES else way.split()
    cfg = composed([*overrides, f"trainer.precision={precision}", f"trainer.batch_size={batch}", "trainer.epochs=2"])
    net, seconds, trained = _numpy_into_fit(cfg, images) if way == NOTES else _ours(cfg, images)
    return trained / seconds, operations(net), peak("bfloat16" if "bfloat16" in precision else "float32")


def operations(net: Any) -> float:
    """Millions of a training step for one image."""
    from sweeper.files import costs

    first = next(layer.multiply_adds for layer in costs.layers(net) if layer.multiply_adds)
    return 3 * costs.mflops(net) - 2 * first / 1e6


def _numpy_into_fit(cfg: Any, images: int) -> tuple[Any, float, int]:
    import keras
    import numpy as np

    from sweeper.training import instances

    data = instances.dataset(cfg)
    net = instances.make(cfg, "model", input_shape=data.input_shape, num_classes=data.num_classes)
    shown = (data.train.images[:images] - np.float32(data.mean)) / np.float32(data.std)
    labels = np.eye(data.num_classes, dtype=np.float32)[data.train.labels[:images]]
    net.compile(keras.optimizers.AdamW(1e-3), loss="categorical_crossentropy", metrics=["accuracy"])
    clock = _clock()
    net.fit(shown, labels, batch_size=64, epochs=2, callbacks=[clock], verbose=0)
    return net, clock.seconds, len(shown)


def _ours(cfg: Any, images: int) -> tuple[Any, float, int]:
    from sweeper.training import instances
    from sweeper.training.program import Program
    from sweeper.training.start import prepare

    trainer = instances.make(cfg, "trainer")
    start = prepare(cfg, trainer)
    steps = min(images, len(start.data.train)) // trainer.batch_size
    program, clock = Program(start.parts, steps), _clock()
    program.model.fit(
        start.batches.train(0), steps_per_epoch=steps, epochs=2, callbacks=[clock], shuffle=False, verbose=0
    )
    return program.net, clock.seconds, steps * trainer.batch_size


def _clock() -> Any:
    """A callback with the seconds of the last epoch."""
    import keras

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self._began = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds = time.perf_counter() - self._began

    return Clock()


def peak(dtype: str, clock: Callable[[], float] = time.perf_counter) -> float:
    """Millions of operations a second."""
    import tensorflow as tf

    matrix = tf.cast(tf.random.normal((SIDE, SIDE)), dtype)
    product = tf.function(lambda: tf.reduce_max(tf.matmul(matrix, matrix)))
    seconds = []
    for _ in range(PRODUCTS + 1):  # the first one traces
        began = clock()
        product().numpy()
        seconds.append(clock() - began)
    return 2 * SIDE**3 / min(seconds[1:]) / 1e6


def measured(way: str, args: argparse.Namespace) -> tuple[float, float]:
    """Images a second, share of the peak."""
    command = [sys.executable, __file__, "--once", way, "--images", str(args.images), *args.overrides]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{way} failed:\n{done.stderr[-3000:]}")
    speed, needed, possible = map(float, done.stdout.split()[-3:])
    return speed, needed * speed / possible


def draw(speeds: dict[str, list[float]], out: Path) -> None:
    colours = [picture.OTHERS if way == NOTES else picture.OURS for way in speeds]
    medians = {way: median(each) for way, each in speeds.items()}
    picture.bars(medians, "images a second in training, by precision and images a step", "{:.0f}", colours).savefig(
        out, dpi=150
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="for instance dataset=cifar10 model=resnet")
    parser.add_argument("--runs", type=int, default=3, help="of each way (default: %(default)s)")
    parser.add_argument("--images", type=int, default=5120, help="an epoch (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="PNG")
    parser.add_argument("--once", choices=WAYS, help=argparse.SUPPRESS)
    args = parser.parse_intermixed_args()
    if args.once:
        print(*once(args.once, args.overrides, args.images))
        return
    speeds: dict[str, list[float]] = {way: [] for way in WAYS}
    shares: dict[str, list[float]] = {way: [] for way in WAYS}
    for run in range(args.runs):
        for way in WAYS:
            speed, share = measured(way, args)
            speeds[way].append(speed)
            shares[way].append(share)
            print(f"run {run + 1}  {way:20}  {speed:7.0f} images/s  {share:4.0%} of the peak", flush=True)
    rows = []
    for way in WAYS:
        ratio = paired.ratio(speeds[way], speeds[NOTES])
        rows.append((way, f"{median(speeds[way]):.0f}", f"{ratio:.2f}", f"{median(shares[way]):.0%}"))
    table.show(f"medians of {args.runs} runs", ("images/s", "of the notes' way", "of the peak"), rows)
    if args.out:
        draw(speeds, args.out)


if __name__ == "__main__":
    main()

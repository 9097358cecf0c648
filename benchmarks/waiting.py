"""What share of a training's time its steps take; in the rest they wait for images, or for Python.

python benchmarks/waiting.py --out docs/pictures/waiting.png --set dataset=digits \\
  --set dataset=cifar10 dataset.path=data/cifar-10-batches-py augment=strong

Of each set of overrides an epoch of the training as it is, with its callbacks, and the same traced steps on one batch
that lies ready take turns, on one thread as in a slot. The share is the time of the second by that of the first.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import paired
import picture
import table
import work

from sweeper.engine.process import surroundings

Times = list[tuple[float, float]]  # of a training epoch and of its steps alone, seconds


def turns(overrides: list[str], rounds: int) -> Times:
    import keras
    import tensorflow as tf

    from sweeper.training.judged import Judged

    program, batches = work.begun([*overrides, f"trainer.epochs={rounds + 1}"])
    steps = batches.steps
    ready = iter(tf.data.Dataset.from_tensors(next(iter(batches.train(0)))).repeat())
    found: Times = []

    class Turns(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.began = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            trained = time.perf_counter() - self.began
            began = time.perf_counter()
            for _ in range(steps // self.model.steps_per_execution):
                self.model.train_function(ready)
            found.append((trained, time.perf_counter() - began))

    judged = Judged(program, batches.train)
    program.model.fit(
        batches.train(0),
        steps_per_epoch=steps,
        epochs=rounds + 1,
        callbacks=[judged, Turns()],
        shuffle=False,
        verbose=0,
    )
    return found[1:]  # the first epoch traces


def measured(overrides: list[str], rounds: int) -> Times:
    command = [sys.executable, __file__, "--once", "--rounds", str(rounds), "--set", *overrides]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | surroundings(1, None))
    if done.returncode:
        sys.exit(f"{' '.join(overrides)} failed:\n{done.stderr[-3000:]}")
    return [tuple(map(float, line.split())) for line in done.stdout.splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", dest="sets", nargs="+", action="append", metavar="KEY=VALUE", required=True)
    parser.add_argument("--rounds", type=int, default=5, help="of each set (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="PNG")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.once:
        for pair in turns(args.sets[0], args.rounds):
            print(*pair)
        return
    shares: dict[str, float] = {}
    rows = []
    for overrides in args.sets:
        name = work.name(overrides)
        trained, alone = zip(*measured(overrides, args.rounds), strict=True)
        shares[name] = paired.ratio(alone, trained)
        rows.append((name, f"{median(trained):.2f} s", f"{median(alone):.2f} s", f"{shares[name]:.1%}"))
    table.show(f"Medians of {args.rounds} epochs", ("an epoch", "its steps alone", "share"), rows)
    if args.out:
        percent = {name: 100 * share for name, share in shares.items()}
        picture.bars(percent, "% of a training epoch inside its steps", "{:.1f} %").savefig(args.out, dpi=150)


if __name__ == "__main__":
    main()

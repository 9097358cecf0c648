"""Images a second of the whole machine: a slot of one thread for each core, against one slot with all threads.

python benchmarks/threads.py --out docs/pictures/threads.png --set model=custom dataset=digits \\
  --set model=alexnet dataset=cifar10 dataset.path=data/cifar-10-batches-py

The two ways take turns. Slots train side by side, and are counted while all of them do.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median

import paired
import picture
import table
import work

from sweeper.engine.process import surroundings
from sweeper.machine import hardware, inherited

SECONDS = 8.0
CORES = hardware.cores()
WAYS = {f"{CORES} slots of 1 thread": (CORES, 1), f"1 slot of {CORES} threads": (1, CORES)}


def train(overrides: list[str], begin: Barrier, speeds: multiprocessing.Queue) -> None:
    """Puts the images a second of one slot."""
    program, batches = work.begun(overrides)
    images = iter(batches.train(0))
    step = program.model.make_train_function() or program.model.train_function
    step(images)
    begin.wait()
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < SECONDS:
        step(images)
        steps += program.model.steps_per_execution
    speeds.put(steps * batches.train(0).element_spec[0].shape[0] / (time.perf_counter() - began))


def together(overrides: list[str], slots: int, threads: int) -> float:
    """Images a second of all slots."""
    context = multiprocessing.get_context("spawn")
    begin, speeds = context.Barrier(slots), context.Queue()
    processes = [context.Process(target=train, args=(overrides, begin, speeds)) for _ in range(slots)]
    with inherited.environment(surroundings(threads, None)):
        for process in processes:
            process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            raise SystemExit(f"{' '.join(overrides)} failed")
    return sum(speeds.get() for _ in processes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", dest="sets", nargs="+", action="append", metavar="KEY=VALUE", required=True)
    parser.add_argument("--runs", type=int, default=3, help="of each way (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="PNG")
    args = parser.parse_args()
    rows, bars = [], {}
    for overrides in args.sets:
        name = work.name(overrides)
        speeds: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(args.runs):
            for way, shape in WAYS.items():
                speeds[way].append(together(overrides, *shape))
        many, one = speeds.values()
        rows.append((name, *(f"{median(each):.0f}" for each in speeds.values()), f"{paired.ratio(many, one):.2f}"))
        bars[name] = paired.ratio(many, one)
    table.show(f"images a second, medians of {args.runs} runs", (*WAYS, "ratio"), rows)
    if args.out:
        label = f"times as fast: {CORES} slots of 1 thread against 1 slot of {CORES}"
        picture.bars(bars, label, "{:.2f}").savefig(args.out, dpi=150)


if __name__ == "__main__":
    main()

"""How long data sets take to load: from their own files, for the first time with a cache, and from the cache.

python benchmarks/load.py --out docs/pictures/load.png --set dataset=digits \\
  --set dataset=cifar10 dataset.path=data/cifar-10-batches-py \\
  --set dataset=ferplus dataset.images=data/fer2013.csv dataset.labels=data/fer2013new.csv

Each time is of a process of its own, without its start; the three ways take turns. Files are in the system's memory
already, so no disk is measured. Ratios are to loading without a cache.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import paired
import picture
import table

PLAIN, FIRST, CACHED = WAYS = "without a cache", "first time with one", "from the cache"
COLOURS = (picture.OTHERS, "#9ecae9", picture.OURS)
ONCE = """
import sys, time
from sweeper.config.compose import composed
from sweeper.training.instances import dataset
cfg = composed(sys.argv[1:])
start = time.perf_counter()
data = dataset(cfg)
int(data.train.images[-1].sum())  # a mapped file is read when it is touched
print(time.perf_counter() - start)
"""
Times = dict[str, list[float]]  # seconds by way


def seconds(overrides: list[str], cache: str) -> float:
    command = [sys.executable, "-c", ONCE, *overrides, f"cache={cache}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(overrides)} failed:\n{done.stderr[-3000:]}")
    return float(done.stdout)


def measured(overrides: list[str]) -> dict[str, float]:
    """Seconds by way, each after an unmeasured load: memory that was just given back costs less than other."""
    taken = {}
    with tempfile.TemporaryDirectory() as folder:
        for way, cache in zip(WAYS, ("null", folder, folder), strict=True):
            seconds(overrides, "null")
            taken[way] = seconds(overrides, cache)
    return taken


def row(name: str, times: Times) -> tuple[str, ...]:
    cells = [f"{median(times[PLAIN]):.3f} s"]
    for way in (FIRST, CACHED):
        cells += f"{median(times[way]):.3f} s", f"{paired.ratio(times[way], times[PLAIN]):.3f}"
    return (name, *cells)


def draw(times: dict[str, Times], out: Path) -> None:
    medians = {f"{name}, {way}": median(by_way[way]) for name, by_way in times.items() for way in WAYS}
    label = "seconds to load a data set"
    picture.bars(medians, label, "{:.2g} s", COLOURS * len(times), log=True).savefig(out, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", nargs="+", action="append", required=True, metavar="KEY=VALUE", help="a data set")
    parser.add_argument("--runs", type=int, default=5, help="of each way (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="PNG")
    args = parser.parse_args()
    sets = {overrides[0].removeprefix("dataset="): overrides for overrides in args.set}
    times: dict[str, Times] = {name: {way: [] for way in WAYS} for name in sets}
    for run in range(args.runs):
        for name, overrides in sets.items():
            taken = measured(overrides)
            for way in WAYS:
                times[name][way].append(taken[way])
            told = ", ".join(f"{way} {once:.3f} s" for way, once in taken.items())
            print(f"run {run + 1}  {name:8}  {told}", flush=True)
    rows = [row(name, by_way) for name, by_way in times.items()]
    table.show(f"medians of {args.runs} runs", (PLAIN, FIRST, "ratio", CACHED, "ratio"), rows)
    if args.out:
        draw(times, args.out)


if __name__ == "__main__":
    main()

"""How long a data set takes to load: from its own files, for the first time with a cache, and from the cache.

python benchmarks/loading.py dataset=cifar10 dataset.path=data/cifar-10-batches-py
python benchmarks/loading.py dataset=ferplus dataset.images=data/fer2013.csv dataset.labels=data/fer2013new.csv

Each time is of a process of its own, without its start; the three ways take turns. Prints medians and ratios.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ONCE = """
import sys, time
from sweeper.compose import composed
from sweeper.trial import dataset
cfg = composed(sys.argv[1:])
start = time.perf_counter()
data = dataset(cfg)
int(data.train.images[-1].sum())  # a mapped file is read when it is touched
print(time.perf_counter() - start)
"""


def seconds(overrides: list[str], cache: str) -> float:
    command = [sys.executable, "-c", ONCE, *overrides, f"cache={cache}"]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="+", metavar="KEY=VALUE")
    parser.add_argument("--runs", type=int, default=5, help="of each way (default: %(default)s)")
    args = parser.parse_args()
    times: dict[str, list[float]] = {"without a cache": [], "first time with one": [], "from the cache": []}
    for run in range(args.runs):
        with tempfile.TemporaryDirectory() as folder:
            for way, cache in zip(times, ("null", Path(folder), Path(folder)), strict=True):
                times[way].append(seconds(args.overrides, str(cache)))
        print(f"run {run + 1}: " + ", ".join(f"{way} {taken[-1]:.3f} s" for way, taken in times.items()))
    base = median(times["without a cache"])
    for way, taken in times.items():
        ratio = median(one / other for one, other in zip(taken, times["without a cache"], strict=True))
        print(f"{way}: median {median(taken):.3f} s, {ratio:.3f} of the time without a cache ({base:.3f} s)")


if __name__ == "__main__":
    main()

"""Populations against fixed schedules: what the same number of epochs finds.

python benchmarks/evolution.py --epochs 12 --record evolution.jsonl
python benchmarks/evolution.py --epochs 36 --record evolution.jsonl

All search learning rate, dropout and weight decay of a small `custom` on few of the digits, from the same ranges, with
8 lives of as many epochs: PBT and PB2 in six segments each, random search with a constant rate and with one that falls
by a cosine. A seed is of sampling, weights and data split, the same for all; they take turns. The network that is best
on the validation images meets the test images at the end, which is what counts: each search picks its best of as many
looks at the validation images as it has epochs, so the validation value is too good, and not equally for all.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median, stdev

import table
from contest import ROOT

from sweeper.records import record

LIVES, SEGMENTS = 8, 6
DATA = ["dataset.train_size=300", "dataset.validation=0.5", "model.filters=8"]
POPULATION = [f"evolution.members={LIVES}"]
RANDOM = ["hydra/sweeper/sampler=random", "hydra/sweeper/pruner=none", f"hydra.sweeper.n_trials={LIVES}"]
CONTESTANTS = {
    "PBT": ["+evolution=pbt", *POPULATION],
    "PB2": ["+evolution=pb2", *POPULATION],
    "random, constant rate": ["schedule=constant", *RANDOM],
    "random, cosine": ["schedule=cosine", *RANDOM],
    "PBT over a cosine": ["+evolution=pbt", "schedule=cosine", *POPULATION],
}
FIXED = ("random, constant rate", "random, cosine")


@dataclass(frozen=True)
class Reached:
    validation: float
    test: float  # accuracy of the network with that validation accuracy
    epochs: int  # trained in all
    seconds: float  # of the whole process


def run(name: str, seed: int, epochs: int) -> Reached:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        words = ["-m", "hparams=search", *DATA, *CONTESTANTS[name], f"seed={seed}", f"trainer.epochs={epochs}"]
        every = [f"evolution.every={epochs // SEGMENTS}"] if POPULATION[0] in words else []
        words += [*every, "hydra.sweep.dir=sweep"]
        command, environment = [sys.executable, "-m", "sweeper", *words], os.environ | {"PYTHONPATH": str(ROOT)}
        began = time.time()
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{name} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        sweep = record.read(Path(folder, "sweep"))
        trained = sum(len(trial.curve) for trial in sweep.trials)
        best = sweep.best
        return Reached(best.values[0], best.tested.metrics["test_accuracy"], trained, time.time() - began)


def read(path: Path | None, epochs: int) -> dict[tuple[str, int], Reached]:
    """What was measured before with lives planned for so many epochs, by contestant and seed."""
    rows = map(json.loads, path.read_text().splitlines() if path and path.exists() else ())
    return {(row.pop("name"), row.pop("seed")): Reached(**row) for row in rows if row.pop("planned", None) == epochs}


def measure(names: Sequence[str], seeds: int, epochs: int, path: Path | None) -> dict[tuple[str, int], Reached]:
    """What the record lacks, in turns."""
    runs = read(path, epochs)
    for seed in range(seeds):
        for name in names:
            if (name, seed) not in runs:
                reached = runs[name, seed] = run(name, seed, epochs)
                if path:
                    with open(path, "a") as file:
                        file.write(json.dumps({"name": name, "seed": seed, "planned": epochs} | asdict(reached)) + "\n")
            told = runs[name, seed]
            print(
                f"seed {seed}  {name:22}  validation {told.validation:.4f}  test {told.test:.4f}  "
                f"{told.epochs} epochs  {told.seconds:.0f} s",
                flush=True,
            )
    return runs


def show(names: Sequence[str], seeds: int, runs: dict[tuple[str, int], Reached]) -> None:
    rows = []
    for name in names:
        own = [runs[name, seed] for seed in range(seeds)]
        ahead = [[one.test - runs[fixed, seed].test for seed, one in enumerate(own)] for fixed in FIXED]
        cells = [mean(one.validation for one in own), mean(one.test for one in own), min(one.test for one in own)]
        rows.append(
            (
                name,
                *(f"{cell:.4f}" for cell in cells),
                *map(difference, ahead),
                str(own[0].epochs),
                f"{median(one.seconds for one in own):.0f}",
            )
        )
    head = ("validation", "test", "worst test", *(f"ahead of {fixed}" for fixed in FIXED), "epochs", "median s")
    table.show(f"means of {seeds} seeds; ± is the standard error of the paired differences", head, rows)


def difference(ahead: Sequence[float]) -> str:
    """Mean and standard error."""
    error = stdev(ahead) / math.sqrt(len(ahead)) if len(ahead) > 1 else math.nan
    return f"{mean(ahead):+.4f} ± {error:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--epochs", type=int, default=12, help="of a life, a multiple of 6 (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS), metavar="NAME")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="adds what was measured, and measures only the rest"
    )
    args = parser.parse_args()
    names = list(dict.fromkeys([*args.only, *FIXED]))
    show(names, args.seeds, measure(names, args.seeds, args.epochs, args.record))


if __name__ == "__main__":
    main()

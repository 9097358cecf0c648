"""A sweep of twelve small trainings, whole process: a bare loop of keras.fit, this package, and others who do sweeps.

python benchmarks/sweep.py --out docs/pictures/sweep.png
python benchmarks/sweep.py --peer kerastuner=PYTHON ray_tune=PYTHON hydra_optuna=PYTHON

All train model=custom on the digits for 8 epochs with the same optimizer, schedule and batch size; bare loop, Ray Tune
and this package on the same 12 points, the others on 12 random points of the same ranges. They take turns. A peer is
given with the Python that has it installed, beside the packages of this project: they do not all fit together.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean, median

import contest
import paired
import picture
import table
from contest import LOOP, RANGES, Contest, Reached

EPOCHS = 8


def show(runs: dict[str, list[Reached]], times: dict[str, list[float]]) -> None:
    rows = []
    for name, reached in runs.items():
        best = mean(each.best for each in reached)
        of_loop = paired.ratio(times[name], times[LOOP])
        rows.append((name, f"{median(times[name]):.1f}", f"{of_loop:.2f}", f"{best:.4f}"))
    head = ("median s", "of the bare loop", "best accuracy, mean")
    table.show(f"medians of {len(times[LOOP])} runs", head, rows)


def draw(times: dict[str, list[float]], trials: int, out: Path) -> None:
    medians = sorted((median(taken), name) for name, taken in times.items())
    label = f"seconds for {trials} trials of {EPOCHS} epochs, whole process"
    picture.bars({name: seconds for seconds, name in medians}, label, "{:.0f} s").savefig(out, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="of each, with a seed of its own (default: %(default)s)")
    parser.add_argument("--trials", type=int, default=12)
    contest.add_peers(parser)
    parser.add_argument("--out", type=Path, metavar="PNG")
    args = parser.parse_args()
    pythons = contest.pythons(args.peer)
    runs: dict[str, list[Reached]] = {name: [] for name in pythons}
    for seed in range(args.runs):
        for name, python in pythons.items():
            given = Contest(seed, EPOCHS, args.trials, learns=False, ranges=RANGES)
            reached = contest.run(given, name, python)
            runs[name].append(reached)
            print(f"run {seed + 1}  {name:12}  {reached.seconds:6.1f} s  best {reached.best:.4f}", flush=True)
    times = {name: [each.seconds for each in reached] for name, reached in runs.items()}
    show(runs, times)
    if args.out:
        draw(times, args.trials, args.out)


if __name__ == "__main__":
    main()

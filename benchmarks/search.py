"""How soon a search is good: best validation accuracy against wall time, of the whole process from its start.

python benchmarks/search.py --record search.jsonl --out docs/pictures/search.png \\
  --space usual wide --peer kerastuner=PYTHON ray_tune=PYTHON hydra_optuna=PYTHON

All search learning rate, dropout and weight decay of model=custom on the digits, 10 epochs a trial, each in its own
best way: this package as `hparams=search` has it, Hydra's Optuna sweeper by TPE with MLflow, KerasTuner by Bayesian
optimization, Ray Tune at random under ASHA on all cores, the bare loop at random. `wide` is the usual space but for the
learning rate, of which nobody knows more than that it lies between 1e-6 and 1: a network that is new. A seed is of
sampling, weights and data split, the same for all; they take turns, and each is killed when the budget is spent.

An accuracy is reached when the epoch ends that reached it. What a contestant did not reach counts as the whole budget,
so `>` stands before its time, and `<` before the share of it that this package took (`>` if it is this package's).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

import contest
import paired
import picture
import table
from contest import LOOP, OURS, RANGES, Contest, Reached

SPACES = {"usual": RANGES, "wide": RANGES | {"lr": (1e-6, 1.0, True)}}
EPOCHS, PLENTY = 10, 1000  # a trial; trials
LEVELS = (0.97, 0.98, 0.99)
SMALLEST, MARKS = 0.003, (0.5, 0.3, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005)  # errors in the picture; one image is 0.0035
COLOURS = {
    OURS: picture.OURS,
    LOOP: "#9d9d9d",
    "kerastuner": "#f58518",
    "ray_tune": "#e45756",
    "hydra_optuna": "#54a24b",
}

Runs = dict[tuple[str, str, int], Reached]  # by space, contestant and seed


def read(record: Path | None, budget: float) -> Runs:
    """What was measured before with that budget."""
    rows = map(json.loads, record.read_text().splitlines() if record and record.exists() else ())
    same = (row for row in rows if row["budget"] == budget)
    return {(row["space"], row["name"], row["seed"]): Reached(row["seconds"], row["epochs"]) for row in same}


def measure(args: argparse.Namespace, pythons: dict[str, str], runs: Runs) -> None:
    """What `runs` lacks."""
    turns = ((space, name, seed) for seed in range(args.seeds) for space in args.space for name in pythons)
    for space, name, seed in turns:
        if (space, name, seed) not in runs:
            given = Contest(seed, EPOCHS, PLENTY, learns=True, ranges=SPACES[space])
            reached = runs[space, name, seed] = contest.run(given, name, pythons[name], args.budget)
            if args.record:
                with open(args.record, "a") as file:
                    row = {"space": space, "name": name, "seed": seed, "budget": args.budget} | asdict(reached)
                    file.write(json.dumps(row) + "\n")
        print(f"seed {seed}  {space:5}  {name:12}  {told(runs[space, name, seed])}", flush=True)


def told(reached: Reached) -> str:
    times = "  ".join(f"{level:.2f} after {reached.seconds_to(level):5.1f} s" for level in LEVELS)
    return f"{times}  best {reached.best:.4f}"


def show(space: str, runs: dict[str, list[Reached]], budget: float) -> None:
    """runs: by contestant, in the order of the seeds."""
    head = [*(part for level in LEVELS for part in (f"s to {level:.2f}", "ours of it")), "best", "worst seed's"]
    rows = []
    for name, reached in runs.items():
        cells = []
        for level in LEVELS:
            ours, its = times(runs[OURS], level, budget), times(reached, level, budget)
            cells += [clock(its, budget), share(ours, its, budget)]
        best = [each.best for each in reached]
        rows.append((name, *cells, f"{median(best):.4f}", f"{min(best):.4f}"))
    table.show(f"{space} space: medians of {len(runs[OURS])} seeds, {budget:.0f} s each", head, rows)
    peers = [name for name in runs if name not in (OURS, LOOP)] or [LOOP]
    for level in LEVELS:
        best = min(peers, key=lambda name: median(times(runs[name], level, budget)))
        ratio = share(times(runs[OURS], level, budget), times(runs[best], level, budget), budget)
        print(f"to {level:.2f}: {ratio} of the time of the best peer, {best}")


def times(reached: Sequence[Reached], level: float, budget: float) -> list[float]:
    return [min(each.seconds_to(level), budget) for each in reached]


def clock(seconds: Sequence[float], budget: float) -> str:
    return f"> {budget:.0f}" if median(seconds) >= budget else f"{median(seconds):.1f}"


def share(ours: Sequence[float], its: Sequence[float], budget: float) -> str:
    """Of its time that ours is, pair by pair; `-` where neither came so far in most of the pairs."""
    late = median(ours) >= budget, median(its) >= budget
    bound = {(True, False): "> ", (False, True): "< "}.get(late, "")
    return "-" if all(late) else f"{bound}{paired.ratio(ours, its):.2f}"


def draw(spaces: dict[str, dict[str, list[Reached]]], budget: float, out: Path) -> None:
    import numpy as np

    seconds = np.arange(0, budget, 0.25)
    figure, panels = picture.panels(5 * len(spaces) + 1, 3.6, len(spaces))
    for axes, (space, runs) in zip(panels, spaces.items(), strict=True):
        for name, reached in runs.items():
            errors = np.array([[1 - best_until(each, second) for second in seconds] for each in reached])
            line = {"color": COLOURS.get(name), "linewidth": 2.5 if name == OURS else 1.5}
            band = {"color": COLOURS.get(name), "linewidth": 0, "alpha": 0.12}
            axes.fill_between(seconds, *(each(0).clip(SMALLEST) for each in (errors.min, errors.max)), **band)
            axes.plot(seconds, np.median(errors, 0).clip(SMALLEST), label=name, **line)
        axes.set(yscale="log", ylim=(0.6, 0.9 * SMALLEST), xlim=(0, budget), title=f"{space} space")
        axes.set(xlabel="seconds from the start", ylabel="best validation accuracy so far")
        axes.minorticks_off()
        axes.set_yticks(MARKS, [f"{1 - mark:.3g}" for mark in MARKS])
        axes.grid(axis="y", alpha=0.3)
    panels[-1].legend(frameon=False, loc="lower right")
    figure.savefig(out, dpi=150)


def best_until(reached: Reached, second: float) -> float:
    return max((accuracy for at, accuracy in reached.epochs if at <= second), default=0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--budget", type=float, default=120, metavar="SECONDS", help="of each (default: %(default)s)")
    parser.add_argument("--space", nargs="+", choices=SPACES, default=["usual"])
    contest.add_peers(parser)
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="adds what was measured, and measures only the rest"
    )
    parser.add_argument("--out", type=Path, metavar="PNG")
    args = parser.parse_args()
    pythons = contest.pythons(args.peer)
    runs = read(args.record, args.budget)
    measure(args, pythons, runs)
    spaces = {
        space: {name: [runs[space, name, seed] for seed in range(args.seeds)] for name in pythons}
        for space in args.space
    }
    for space, by_name in spaces.items():
        show(space, by_name, args.budget)
    if args.out:
        draw(spaces, args.budget, args.out)


if __name__ == "__main__":
    main()

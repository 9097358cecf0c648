"""A sweep of twelve small trainings, whole process: a bare loop of keras.fit, this package, and others who do sweeps.

python benchmarks/sweep.py --out docs/pictures/sweep.png
python benchmarks/sweep.py --peer kerastuner=PYTHON ray_tune=PYTHON hydra_optuna=PYTHON

All train model=custom on the digits for 8 epochs with the same optimizer, schedule and batch size; bare loop, Ray Tune
and this package on the same 12 points, the others on 12 random points of the same ranges. They take turns. A peer is
given with the Python that has it installed, beside the packages of this project: they do not all fit together.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
LOOP, OURS = "bare_loop", "sweeper"


def trials(seed: int, count: int) -> list[dict[str, float]]:
    draw = random.Random(seed)
    ranges = {"lr": (-4, -2), "weight_decay": (-6, -1)}  # powers of ten
    return [
        {key: 10 ** draw.uniform(*span) for key, span in ranges.items()} | {"dropout": draw.uniform(0.1, 0.6)}
        for _ in range(count)
    ]


def command(contestant: str, python: str, points: list[dict[str, float]]) -> list[str]:
    if contestant != OURS:
        return [python, str(HERE / "contestants" / f"{contestant}.py")]
    enqueued = ",".join(
        "{" + ",".join(f"hparams.{key}:{value!r}" for key, value in point.items()) + "}" for point in points
    )
    sweep = ["-m", "model=custom", "hparams=search", "trainer.epochs=8", f"hydra.sweeper.n_trials={len(points)}"]
    return [python, "-m", "sweeper", *sweep, "hydra/sweeper/pruner=none", f"hydra.sweeper.enqueue=[{enqueued}]"]


def run(contestant: str, python: str, seed: int, count: int) -> tuple[float, float]:
    """Seconds of the whole process, best validation accuracy."""
    points = trials(seed, count)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "trials.json").write_text(json.dumps(points))
        environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"}
        began = time.perf_counter()
        done = subprocess.run(
            command(contestant, python, points), cwd=folder, env=environment, capture_output=True, text=True
        )
        seconds = time.perf_counter() - began
        if done.returncode:
            sys.exit(f"{contestant} failed:\n{done.stderr[-3000:]}")
        if contestant != OURS:
            return seconds, float(done.stdout.split()[-1])
        (results,) = Path(folder).glob("multirun/*/optimization_results.yaml")
        return seconds, yaml.safe_load(results.read_text())["best_value"]


def draw(times: dict[str, list[float]], out: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    names = sorted(times, key=lambda name: median(times[name]))
    figure, axes = pyplot.subplots(figsize=(7, 0.5 + 0.45 * len(names)), layout="constrained")
    bars = axes.barh(names, [median(times[name]) for name in names], color="#4c78a8")
    axes.bar_label(bars, fmt="%.0f s", padding=3)
    axes.set(xlabel="seconds for 12 trials of 8 epochs, whole process", xmargin=0.12)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(out, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="of each, with a seed of its own (default: %(default)s)")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--peer", nargs="*", default=[], metavar="NAME=PYTHON", help="a file of benchmarks/contestants")
    parser.add_argument("--out", type=Path, metavar="PNG")
    args = parser.parse_args()
    pythons = {LOOP: sys.executable, OURS: sys.executable} | dict(peer.split("=", 1) for peer in args.peer)
    times: dict[str, list[float]] = {name: [] for name in pythons}
    reached: dict[str, list[float]] = {name: [] for name in pythons}
    for seed in range(args.runs):
        for name, python in pythons.items():
            seconds, accuracy = run(name, python, seed, args.trials)
            times[name].append(seconds)
            reached[name].append(accuracy)
            print(f"run {seed + 1}  {name:12}  {seconds:6.1f} s  best {accuracy:.4f}", flush=True)
    print(f"\n{'':12}  median s  of the bare loop  best accuracy, mean")
    for name in pythons:
        ratio = median(one / other for one, other in zip(times[name], times[LOOP], strict=True))
        print(f"{name:12}  {median(times[name]):8.1f}  {ratio:16.2f}  {sum(reached[name]) / args.runs:.4f}")
    if args.out:
        draw(times, args.out)


if __name__ == "__main__":
    main()

"""A whole sweep on processes of this machine and on actors of a Ray cluster of this machine; and what a report takes.

python benchmarks/executors.py

Both take turns. The round trip is from one report of a task that does nothing else to its next one: the coordinator has
decided, written and answered.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

import paired
import table

from sweeper.records import journal
from sweeper.records.events import EpochReported

EXECUTORS = ("local", "ray")
SWEEP = ("-m", "sweeper", "-m", "model=custom", "hparams=search")
LIGHT = (str(Path(__file__).resolve().parents[1] / "tests/light/app.py"), "-m", "x=interval(-1, 1)", "epochs=500")


def turn(executor: str, command: tuple[str, ...], folder: Path) -> tuple[float, Path]:
    """Seconds of the whole process, and the folder of its sweep."""
    began = time.time()
    sweep = folder / f"{executor}-{began}"
    chosen = [f"hydra/sweeper/executor={executor}", f"hydra.sweep.dir={sweep}"]
    subprocess.run([sys.executable, *command, *chosen], check=True, capture_output=True, cwd=folder)
    return time.time() - began, sweep


def round_trip(executor: str, folder: Path) -> float:
    """Milliseconds, the median of 500."""
    _, sweep = turn(executor, (*LIGHT, "hydra.sweeper.n_trials=1", "hydra.sweeper.n_jobs=1"), folder)
    heard = [event.time for event in journal.read(sweep) if isinstance(event, EpochReported)]
    return 1e3 * median(later - earlier for earlier, later in pairwise(heard))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="of each (default: %(default)s)")
    parser.add_argument("--trials", type=int, default=20, help="of a sweep (default: %(default)s)")
    args = parser.parse_args()
    command = (*SWEEP, f"hydra.sweeper.n_trials={args.trials}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        turn("local", command, folder)  # the data set is kept, MLflow's store is made
        turns = [{executor: turn(executor, command, folder)[0] for executor in EXECUTORS} for _ in range(args.runs)]
        trips = {executor: round_trip(executor, folder) for executor in EXECUTORS}
    times = {executor: [each[executor] for each in turns] for executor in EXECUTORS}
    rows = [
        (
            executor,
            f"{median(taken):.1f} s",
            f"{paired.ratio(taken, times['local']):.2f}",
            f"{trips[executor]:.1f} ms",
        )
        for executor, taken in times.items()
    ]
    table.show(f"{args.trials} trials, medians of {args.runs} runs", ("whole process", "ratio", "a report"), rows)


if __name__ == "__main__":
    main()

"""How long a sweep takes from the command to its first step, against `import tensorflow`, which nobody can do without.

python benchmarks/start.py

An epoch has one step, and ends with a validation, after which the first trial reports: that report is what is timed.
The folder has been swept in before, and the data set is in the cache. Both take turns.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import paired
import table

from sweeper.records import journal
from sweeper.records.events import EpochReported, TrialStarted

SWEEP = ("-m", "sweeper", "-m", "model=custom", "hparams=search", "dataset.train_size=64", "trainer.epochs=1")
IMPORT, TRIAL, STEP = "import tensorflow", "first trial", "first step"


def turn(folder: Path) -> dict[str, float]:
    """Seconds from the start of a process."""
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}
    began = time.time()
    subprocess.run([sys.executable, "-c", "import tensorflow"], check=True, capture_output=True, env=quiet)
    imported = time.time() - began
    began = time.time()
    sweep = [sys.executable, *SWEEP, "hydra.sweeper.n_trials=2", f"hydra.sweep.dir={began}"]
    subprocess.run(sweep, check=True, capture_output=True, cwd=folder)
    events = list(journal.read(folder / str(began)))
    trial, step = (
        next(event.time for event in events if isinstance(event, kind)) - began
        for kind in (TrialStarted, EpochReported)
    )
    return {IMPORT: imported, TRIAL: trial, STEP: step}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="of each (default: %(default)s)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        turn(Path(folder))
        turns = [turn(Path(folder)) for _ in range(args.runs)]
    times = {name: [each[name] for each in turns] for name in turns[0]}
    rows = [
        (name, f"{median(taken):.2f} s", f"{paired.ratio(taken, times[IMPORT]):.2f}") for name, taken in times.items()
    ]
    table.show(f"from the command on, medians of {args.runs} runs", ("", "ratio"), rows)


if __name__ == "__main__":
    main()

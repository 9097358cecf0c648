"""Learning curves of real trainings, for slots that only seem to train.

python -m sweeper -m model=custom model.filters=8 hparams=search trainer.epochs=12 seed=0 hydra.sweeper.n_trials=96 \
  hydra/sweeper/sampler=random hydra/sweeper/pruner=none hydra.sweeper.test=false hydra.sweep.dir=multirun/curves
python benchmarks/curves.py multirun/curves

writes what every epoch of these trials told into curves.npz, which is kept beside this file.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sweeper.records import record

FILE = Path(__file__).with_suffix(".npz")
VALUE = "val_accuracy"
LOW = {"hparams.lr": 1e-4, "hparams.dropout": 0.1, "hparams.weight_decay": 1e-6}  # of the space of hparams=search
HIGH = {"hparams.lr": 1e-2, "hparams.dropout": 0.6, "hparams.weight_decay": 1e-1}
LOG = ("hparams.lr", "hparams.weight_decay")


@dataclass(frozen=True)
class Curves:
    metrics: Sequence[str]
    places: np.ndarray  # (trials, params) in the space, 0..1 along each dimension
    told: np.ndarray  # (trials, epochs, metrics)

    def of(self, params: Mapping[str, float], rng: np.random.Generator, noise: float = 0.003) -> np.ndarray:
        """(epochs, metrics): what the nearest of the trials told, but for some noise. params: by override key."""
        nearest = int(((self.places - place(params)) ** 2).sum(axis=1).argmin())
        return self.told[nearest] * (1 + noise * rng.standard_normal(self.told.shape[1:]))


def place(params: Mapping[str, float]) -> np.ndarray:
    """(params,) 0..1 along each dimension."""
    scaled = []
    for key, low in LOW.items():
        ends = np.array([low, params[key], HIGH[key]])
        start, here, end = np.log(ends) if key in LOG else ends
        scaled.append((here - start) / (end - start))
    return np.array(scaled)


def load() -> Curves:
    with np.load(FILE) as file:
        return Curves(file["metrics"].tolist(), file["places"], file["told"])


def save(folder: Path) -> int:
    """folder: of a sweep as above. Returns how many trials it had."""
    trials = record.read(folder).finished
    metrics = list(trials[0].curve[0][2])
    told = [[[metrics_of[name] for name in metrics] for _, _, metrics_of in trial.curve] for trial in trials]
    places = np.array([place(trial.params) for trial in trials], np.float32)
    np.savez_compressed(FILE, metrics=np.array(metrics), places=places, told=np.array(told, np.float32))
    return len(trials)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweep", type=Path, help="the folder of a sweep in which no trial was pruned")
    trials = save(parser.parse_args().sweep)
    print(f"{trials} curves, {FILE.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()

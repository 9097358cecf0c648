"""A contest: who searches the same hyperparameters of the same network, how each is started, and what it reached."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from sweeper.records import journal
from sweeper.records.events import EpochReported

CONTESTANTS = Path(__file__).resolve().parent / "contestants"
ROOT = CONTESTANTS.parents[1]
LOOP, OURS = "bare_loop", "sweeper"
# From, to, and whether even in the logarithm: those of conf/hparams/search.yaml with conf/optimizer/adamw.yaml.
RANGES = {"lr": (1e-4, 1e-2, True), "weight_decay": (1e-6, 1e-1, True), "dropout": (0.1, 0.6, False)}


@dataclass(frozen=True)
class Contest:
    """Contestants find it as JSON, with `trials` drawn from it, in the file that GIVEN names."""

    seed: int  # of sampling, weights, shuffling and the validation split
    epochs: int  # a trial
    count: int  # trials
    learns: bool  # each in its own best way: TPE, Gaussian process, ASHA. Else all trials, at random, to their end
    ranges: dict[str, tuple[float, float, bool]]

    def trials(self) -> list[dict[str, float]]:
        draw = random.Random(self.seed)
        return [{key: _drawn(draw, *span) for key, span in self.ranges.items()} for _ in range(self.count)]

    def command(self, name: str, python: str) -> list[str]:
        if name != OURS:
            return [python, str(CONTESTANTS / f"{name}.py")]
        common = [f"seed={self.seed}", f"trainer.epochs={self.epochs}", f"hydra.sweeper.n_trials={self.count}"]
        search = [_range(key, *span) for key, span in self.ranges.items()] if self.learns else self._enqueued()
        return [python, "-m", "sweeper", "-m", "model=custom", "hparams=search", *common, *search]

    def _enqueued(self) -> list[str]:
        trials = (",".join(f"hparams.{key}:{value!r}" for key, value in trial.items()) for trial in self.trials())
        return ["hydra/sweeper/pruner=none", f"hydra.sweeper.enqueue=[{','.join(f'{{{each}}}' for each in trials)}]"]


@dataclass(frozen=True)
class Reached:
    seconds: float  # of the whole process
    epochs: list[tuple[float, float]]  # seconds from its start to the end of an epoch, validation accuracy of that

    @property
    def best(self) -> float:
        return max((accuracy for _, accuracy in self.epochs), default=0.0)

    def seconds_to(self, accuracy: float) -> float:
        """Infinite if it never came so far."""
        return min((seconds for seconds, reached in self.epochs if reached >= accuracy), default=math.inf)


def add_peers(parser) -> None:
    parser.add_argument("--peer", nargs="*", default=[], metavar="NAME=PYTHON", help="a file of benchmarks/contestants")


def pythons(peers: list[str]) -> dict[str, str]:
    """By contestant."""
    return {LOOP: sys.executable, OURS: sys.executable} | dict(peer.split("=", 1) for peer in peers)


def run(contest: Contest, name: str, python: str, budget: float | None = None) -> Reached:
    """budget: seconds after which it is killed."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, open(Path(folder, "log"), "w+") as log:
        given = Path(folder, "given.json")
        given.write_text(json.dumps(asdict(contest) | {"trials": contest.trials()}))
        paths = {"PYTHONPATH": f"{ROOT}{os.pathsep}{CONTESTANTS}", "GIVEN": str(given)}
        environment = os.environ | paths | {"TF_CPP_MIN_LOG_LEVEL": "2"}
        began = time.time()
        process = subprocess.Popen(
            contest.command(name, python), cwd=folder, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
        code = 0  # of one that is killed, its budget spent
        try:
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(budget)
        finally:
            seconds = time.time() - began
            _end(process)
        if code:
            log.seek(0)
            sys.exit(f"{name} failed:\n{log.read()[-3000:]}")
        heard = _from_journal(Path(folder)) if name == OURS else _from_file(given.with_name("epochs.txt"))
        return Reached(seconds, [(at - began, accuracy) for at, accuracy in heard])


def _from_journal(folder: Path) -> Iterator[tuple[float, float]]:
    for path in folder.glob(f"multirun/*/{journal.NAME}"):
        for event in journal.read(path.parent):
            if isinstance(event, EpochReported):
                yield event.time, event.value


def _from_file(path: Path) -> Iterator[tuple[float, float]]:
    for line in path.read_text().splitlines() if path.exists() else ():
        at, accuracy = map(float, line.split())
        yield at, accuracy


def _end(process: subprocess.Popen) -> None:
    """With all that it has started: Ray's processes have sessions of their own."""
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid)
        for member in (family, *family.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                member.kill()
    process.wait()


def _drawn(draw: random.Random, low: float, high: float, log: bool) -> float:
    return 10 ** draw.uniform(math.log10(low), math.log10(high)) if log else draw.uniform(low, high)


def _range(key: str, low: float, high: float, log: bool) -> str:
    interval = f"interval({low!r}, {high!r})"
    return f"hparams.{key}={f'tag(log, {interval})' if log else interval}"

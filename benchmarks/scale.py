"""What a study of 10,000 trials costs: the next ask, the leaderboard, going on with it, and the coordinator's memory.

python benchmarks/scale.py [TRIALS]
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psutil

from sweeper import plugin
from sweeper.events import EpochReported, SweepEnded, SweepStarted, TrialEnded, TrialStarted
from sweeper.journal import NAME, Journal

APP = Path(__file__).resolve().parents[1] / "tests" / "light" / "app.py"
EPOCHS = 10
SPACE = ("x=interval(-1, 1)", "+lr=tag(log, interval(1e-5, 1e-1))", "+dropout=interval(0, 0.6)", "kind=round,flat")
SWEEP = ("hydra/sweeper/sampler=tpe", "hydra.sweep.dir=multirun/large")


def main(trials: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write(trials)
        size = sum(file.stat().st_size for file in Path("multirun/large").iterdir()) / 1e6
        print(f"{trials:,} trials of {EPOCHS} epochs, {size:.0f} MB of journals")
        asks = ask(20)
        print(f"ask: {1e3 * median(asks):.0f} ms median, {1e3 * max(asks):.0f} ms at most, of {len(asks)}")
        boards = [timed([sys.executable, "-m", "sweeper", "leaderboard"]) for _ in range(5)]
        print(f"leaderboard: {median(boards):.2f} s median of {len(boards)}")
        seconds, memory = resume(trials)
        print(f"resume: {seconds:.1f} s to the next trial's start; the coordinator held {memory / 1e6:.0f} MB at most")


def write(trials: int) -> None:
    """A sweep as the coordinator leaves it: its journal, and Optuna's through the study itself."""
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder, rng, now = Path("multirun/large"), random.Random(0), time.time()
    journal = Journal(folder)
    arguments = (*SPACE,)
    journal.write(SweepStarted("large", "", "value", ("maximize",), trials, None, now, {}, arguments))
    space = {
        "x": FloatDistribution(-1, 1),
        "+lr": FloatDistribution(1e-5, 1e-1, log=True),
        "+dropout": FloatDistribution(0, 0.6),
        "kind": CategoricalDistribution(("round", "flat")),
    }
    frozen = []
    for number in range(trials):
        params = {
            "kind": rng.choice(("round", "flat")),
            "x": rng.uniform(-1, 1),
            "+lr": 10 ** rng.uniform(-5, -1),
            "+dropout": rng.uniform(0, 0.6),
        }
        value = 1 - params["x"] ** 2
        journal.write(TrialStarted(number, 0, params, "python app.py", str(number), now))
        for epoch in range(1, EPOCHS + 1):
            journal.write(EpochReported(number, epoch, value * epoch / EPOCHS, {"height": value}, now))
        journal.write(TrialEnded(number, "FINISHED", (value,), None, {"epochs": EPOCHS}, now + 1))
        curve = {epoch: value * epoch / EPOCHS for epoch in range(1, EPOCHS + 1)}
        frozen.append(
            optuna.trial.create_trial(value=value, params=params, distributions=space, intermediate_values=curve)
        )
    journal.write(SweepEnded("INTERRUPTED", None, 0, now + 2))
    journal.close()
    storage = JournalStorage(JournalFileBackend(str(folder / "study.journal")))
    optuna.create_study(storage=storage, study_name="large", direction="maximize").add_trials(frozen)


def ask(times: int) -> list[float]:
    """Seconds of each, in a study with all those trials; each is told before the next."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend("multirun/large/study.journal"))
    study = optuna.load_study(study_name="large", storage=storage, sampler=optuna.samplers.TPESampler(seed=0))
    return [asked(study) for _ in range(times)]


def asked(study) -> float:
    began = time.perf_counter()
    trial = study.ask()
    trial.suggest_categorical("kind", ("round", "flat"))
    trial.suggest_float("x", -1, 1)
    trial.suggest_float("+lr", 1e-5, 1e-1, log=True)
    trial.suggest_float("+dropout", 0, 0.6)
    seconds = time.perf_counter() - began
    study.tell(trial, 0.0)
    return seconds


def timed(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def resume(trials: int) -> tuple[float, float]:
    """Seconds from the command to its first TrialStarted, and the most bytes that its process held until its end."""
    command = [sys.executable, str(APP), "-m", *SPACE, *SWEEP, f"hydra.sweeper.n_trials={trials + 40}"]
    path = Path("multirun/large", NAME)
    before = path.stat().st_size
    began, seconds, memory = time.perf_counter(), 0.0, 0
    process = subprocess.Popen([*command, "hydra.sweeper.resume=large"], stdout=subprocess.DEVNULL)
    while process.poll() is None:
        with open(path, "rb") as file:
            file.seek(before)
            if not seconds and b'"TrialStarted"' in file.read():
                seconds = time.perf_counter() - began
        memory = max(memory, psutil.Process(process.pid).memory_info().rss)
        time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"the resumed sweep ended with {process.returncode}")
    return seconds, memory


if __name__ == "__main__":
    plugin.register()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)

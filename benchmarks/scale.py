"""What a sweep costs beside its trainings: by its number of trials, from 10 to 10,000, and by its slots, from 1 to 8.

python benchmarks/scale.py --out docs/pictures/scale.png

The task is that of tests/light, which costs nothing: ten epochs a trial, each reported, four hyperparameters drawn by
TPE, median pruning, every trial a run in MLflow (an sqlite file, written by a thread of the coordinator meanwhile).

By trials, in one slot. `a trial` is the time from a trial's start to the next one's, less its epochs, by the sweep's
own journal: ask, compose, log and tell, and all else that a slot waits for. `in its slot` is the part of that to its
end (compose, Hydra's files of a trial), `between` the rest, in which the coordinator alone works (log, tell, ask); `an
epoch` the time from a report to the next one. Medians over the trials. `at the end` is the time from the last trial's
end to the process's: results, MLflow's rest. The 10,000 are written as a sweep leaves them, not run. In the study that
was left: an ask; the leaderboard, whole process; resuming it for 40 trials more, to the first one's start, and the most
memory that its coordinator then held (MLflow lacks the 10,000 and does not get them all in time; it says so).

By slots: trials a second of that task; and of one that sleeps for half a second, how much of their time the slots spent
in it, between the first trial's start and the last one's end.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import large
import light
import picture
import table
from light import TOP, Costs

RUN_AT_MOST = 1000  # trials; more are written
MORE = 40  # trials of a resumed sweep
SLEEP, NAPS = 0.5, 20  # seconds, trials a slot


@dataclass(frozen=True)
class Size:
    """What one number of trials costs. Seconds and bytes."""

    costs: Costs | None  # None: not run
    end: float | None
    ask: float
    leaderboard: float
    resume: float
    journals: int
    memory: int


@dataclass(frozen=True)
class Slots:
    speed: float  # trials a second
    busy: float  # share of the time


def size(trials: int) -> Size:
    name, costs, end = f"trials-{trials}", None, None
    if trials > RUN_AT_MOST:
        large.write(name, trials)
    else:
        watched = light.sweep(name, trials, 1)
        costs = light.costs(name)
        end = watched.seconds - watched.start - light.searched(name)
    journals = sum(file.stat().st_size for kind in ("*.jsonl", "*.journal") for file in (TOP / name).glob(kind))
    asks, board = median(ask(name, 20)), [sys.executable, "-m", "sweeper", "leaderboard", "--sweep", name]
    leaderboard = median(timed(board) for _ in range(5))
    resumed = light.sweep(name, trials + MORE, 1, f"hydra.sweeper.resume={name}")
    return Size(costs, end, asks, leaderboard, resumed.start, journals, resumed.memory)


def ask(name: str, times: int) -> list[float]:
    """Seconds of each, in the study as it is; each is told before the next."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(TOP / name / "study.journal")))
    study = optuna.load_study(study_name=name, storage=storage, sampler=optuna.samplers.TPESampler(seed=0))
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


def slots(count: int, trials: int) -> Slots:
    free, naps = f"free-{count}", NAPS * count
    light.sweep(free, trials, count)
    sleeping, one_nap = f"sleeping-{count}", ("epochs=1", f"pause={SLEEP}", "hydra/sweeper/pruner=none")
    light.sweep(sleeping, naps, count, *one_nap)
    return Slots(trials / light.searched(free), naps * SLEEP / (count * light.searched(sleeping)))


def size_row(trials: int, size: Size) -> tuple[str, ...]:
    costs = size.costs
    run = (costs.trial, costs.slot, costs.between, costs.epoch) if costs else ()
    return (
        f"{trials:,} trials",
        *([f"{1e3 * seconds:.1f} ms" for seconds in run] or 4 * ["-"]),
        "-" if size.end is None else f"{size.end:.1f} s",
        f"{1e3 * size.ask:.1f} ms",
        f"{size.leaderboard:.2f} s",
        f"{size.resume:.1f} s",
        f"{size.journals / 1e6:.2f} MB",
        f"{size.memory / 1e6:.0f} MB",
    )


def draw(sizes: dict[int, Size], by_slots: dict[int, Slots], out: Path) -> None:
    figure, (costs, whole, busy) = picture.panels(11, 3.2, 3)
    run = {trials: size.costs for trials, size in sizes.items() if size.costs}
    ours, others = {"color": picture.OURS, "marker": "o"}, {"color": picture.OTHERS, "marker": "s", "linestyle": "--"}
    costs.plot(list(run), [1e3 * cost.trial for cost in run.values()], label="a trial, beside its epochs", **ours)
    costs.plot(list(sizes), [1e3 * size.ask for size in sizes.values()], label="of that, an ask", **others)
    costs.set(xscale="log", ylim=(0, None), xlabel="trials", title="milliseconds of the platform")
    whole.plot(list(sizes), [size.resume for size in sizes.values()], label="resume, to the next trial", **ours)
    whole.plot(list(sizes), [size.leaderboard for size in sizes.values()], label="leaderboard", **others)
    whole.set(xscale="log", ylim=(0, None), xlabel="trials", title="seconds of a command")
    counts = [str(count) for count in by_slots]
    drawn = busy.bar(counts, [100 * each.busy for each in by_slots.values()], color=picture.OURS)
    busy.bar_label(drawn, fmt="{:.1f} %", padding=2)
    busy.set(ylim=(0, 110), xlabel="slots", title=f"share of time in trials of {SLEEP:g} s")
    for axes in (costs, whole):
        axes.legend(frameon=False)
    figure.savefig(out, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="*", default=[10, 100, 1000, 10_000])
    parser.add_argument("--slots", type=int, nargs="*", default=[1, 2, 4, 8])
    parser.add_argument(
        "--free", type=int, default=100, help="trials that cost nothing, by slots (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, metavar="PNG")
    args = parser.parse_args()
    out = args.out and args.out.absolute()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        sizes, by_slots = {}, {}
        for trials in args.trials:
            sizes[trials] = size(trials)
            print("  ".join(size_row(trials, sizes[trials])), flush=True)
        for count in args.slots:
            by_slots[count] = slots(count, args.free)
            print(f"{count} slots  {by_slots[count]}", flush=True)
        os.chdir("/")
    head = ("a trial", "in its slot", "between", "an epoch", "at the end")
    head += ("ask", "leaderboard", "resume", "journals", "memory")
    table.show("by trials, in one slot", head, [size_row(*item) for item in sizes.items()])
    rows = [(f"{count} slots", f"{each.speed:.1f}", f"{each.busy:.1%}") for count, each in by_slots.items()]
    table.show("by slots", ("trials/s that cost nothing", f"busy with trials of {SLEEP:g} s"), rows)
    if out:
        draw(sizes, by_slots, out)


if __name__ == "__main__":
    main()

"""Sweeps on more slots than there are here: the real coordinator, over slots that only seem to train.

python benchmarks/simulate.py --record simulate.jsonl --out docs/pictures/simulate.png

Coordinator, study (Optuna, its journal on the disk), journal, keeper, the terminal's lines and the mirror in MLflow (an
sqlite file) are the real ones. The slots are not: they answer with learning curves of real trainings (curves.py), those
of the nearest hyperparameters, and take log-normal times: an epoch 60 s, a start 60 s. One trial in forty runs out of
memory, diverges, raises or hangs; a slot's process is lost every 50 hours, and a node of 8 slots every 100.

Time is that of the simulation. It goes on while the coordinator works and jumps where it would wait, so that hours take
minutes and slots wait for an answer or a trial as long as they would. Work is seconds of the processor, of the one
thread, so that other work on the machine does not count. They count twice (--slowdown 2), as if another thread wanted
the interpreter all the time, and a wait for the disk is 5 ms, as on a network: the use of slots is rather too low.

`used`: the share of the slots' time, but while they are down, that is no waiting for an answer or a trial, until the
last trial is handed out. `core`: seconds of the processor a second, until then. MLflow's thread is measured afterwards,
by the same clock, over the events until then (at most --events). `lag` is from an event to when MLflow has it,
of which up to 5 s are meant: epochs are sent together. `terminal`: its display, which is drawn four times a second.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import picture
import table

SEARCHES = ("tpe/median", "random/median", "tpe/asha", "sail/niche")
SAIL_AT_MOST = 64  # slots: its surrogate learns from every trial, which for thousands takes minutes
SHARES = {"ask": "#4c78a8", "report": "#72b7b2", "the rest": "#bab0ac", "terminal": "#eeca3b", "MLflow": "#e45756"}
LINES = (("#4c78a8", "o"), ("#f58518", "s"), ("#54a24b", "^"), ("#b279a2", "D"))  # colours and markers
GOAL = 0.97  # used, at 512 slots
TOGETHER = 5.0  # seconds that epochs wait for each other on their way to MLflow

Task = tuple[int, str, int]  # slots, search, seed
Row = dict[str, Any]  # what a run measured


def measure(task: Task, trials: int, events: int, slowdown: float) -> Row:
    """In a process of its own."""
    import lag
    import simulated
    from fate import Faults

    slots, search, seed = task
    sampler, pruner = search.split("/")
    sweep = simulated.Sweep(slots, trials, sampler, pruner, seed, slowdown)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as top:
        folder = Path(top, "sweep")
        row = asdict(simulated.run(sweep, folder, faults=Faults()))
        return row | {"mlflow": asdict(lag.measure(folder, events, slowdown))}


def read(record: Path | None) -> dict[Task, Row]:
    lines = record.read_text().splitlines() if record and record.exists() else ()
    return {tuple(row["task"]): row["row"] for row in map(json.loads, lines)}


def tasks(args: argparse.Namespace) -> list[Task]:
    """The small ones first."""
    return [
        (slots, search, seed)
        for slots in args.slots
        for search in args.searches
        if slots <= SAIL_AT_MOST or not search.startswith("sail/")
        for seed in range(args.runs)
    ]


def run(args: argparse.Namespace, rows: dict[Task, Row]) -> None:
    """What `rows` lacks."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(args.processes, mp_context=spawn, max_tasks_per_child=1) as pool:
        begun = {}
        for task in tasks(args):
            if task not in rows:
                trials = max(args.at_least, args.per_slot * task[0])
                begun[pool.submit(measure, task, trials, args.events, args.slowdown)] = task
        for future in as_completed(begun):
            task = begun[future]
            rows[task] = future.result()
            print(*task, f"used {rows[task]['used']:.4f}, core {core(rows[task]):.3f}", flush=True)
            if args.record:
                with open(args.record, "a") as file:
                    file.write(json.dumps({"task": task, "row": rows[task]}) + "\n")


def core(row: Row) -> float:
    return sum(shares(row).values())


def shares(row: Row) -> dict[str, float]:
    """Of one core."""
    parts = {part: seconds / row["seconds"] for part, seconds in row["parts"].items()}
    asked, reported = parts.pop("ask"), parts.pop("report")
    mlflow = row["mlflow"]["work"] / row["mlflow"]["seconds"]
    ours = asked, reported, sum(parts.values()), 4 * row["refresh"], mlflow
    return dict(zip(SHARES, ours, strict=True))


def lag_of(row: Row) -> tuple[float, float]:
    """Seconds: the median, and the longest."""
    lags = [lag for _, lag in row["mlflow"]["lags"]]
    return median(lags), max(lags)


def cells(rows: Sequence[Row]) -> tuple[str, ...]:
    """Medians over the seeds."""

    def middle(of) -> float:
        return median(map(of, rows))

    return (
        f"{len(rows)}",
        f"{middle(lambda row: row['told']):.0f}",
        f"{middle(lambda row: row['whole']) / 60:.0f} min",
        f"{middle(lambda row: row['used']):.2%}",
        f"{middle(lambda row: row['told_by_then'] / row['seconds']):.2f}",
        f"{middle(lambda row: row['told'] / row['work']):.0f}",
        *(f"{middle(lambda row, part=part: shares(row)[part]):.3f}" for part in SHARES),
        f"{middle(core):.3f}",
        f"{1e3 * middle(lambda row: row['parts']['ask'] / row['told']):.1f} ms",
        f"{1e3 * middle(lambda row: row['answers'][0]):.1f} ms",
        f"{1e3 * middle(lambda row: row['answers'][1]):.0f} ms",
        f"{1e3 * middle(lambda row: row['trials'][0]):.0f} ms",
        f"{middle(lambda row: lag_of(row)[0]):.1f} s",
        f"{middle(lambda row: lag_of(row)[1]):.1f} s",
        f"{middle(lambda row: row['memory']) / 1e6:.0f} MB",
    )


HEAD = (
    "runs",
    "trials",
    "simulated",
    "used",
    "told/s",
    "could",
    *SHARES,
    "core",
    "an ask",
    "answer",
    "99 %",
    "trial",
    "lag",
    "longest",
)


def draw(rows: dict[Task, Row], out: Path) -> None:
    sizes = sorted({slots for slots, _, _ in rows})
    searches = list(dict.fromkeys(search for _, search, _ in rows))
    first, names = searches[0], [f"{slots:,}" for slots in sizes]

    def middle(search: str, of: Callable[[Row], float]) -> list[float]:
        """By slots."""
        found = ([of(row) for (here, by, _), row in rows.items() if (here, by) == (slots, search)] for slots in sizes)
        return [median(values) if values else math.nan for values in found]

    figure, (used, work, behind) = picture.panels(12, 3.8, 3)
    for search, (colour, marker) in zip(searches, LINES, strict=False):
        shown = {"color": colour, "marker": marker, "label": search.replace("/", ", ")}
        used.plot(names, [100 * share for share in middle(search, lambda row: row["used"])], **shown)
    used.axhline(100 * GOAL, color="black", linewidth=0.8, linestyle=":")
    used.annotate("goal at 512 slots", (0, 100 * GOAL), xytext=(0, 4), textcoords="offset points")
    used.set(title="slots in use", ylabel="% of their time", ylim=(min(95, used.get_ylim()[0]), 100.25))
    used.legend(frameon=False, loc="lower left")

    bottom = [0.0] * len(sizes)
    for part, colour in SHARES.items():
        height = middle(first, lambda row, part=part: shares(row)[part])
        bars = work.bar(names, height, bottom=bottom, color=colour, label=part)
        bottom = [low + high for low, high in zip(bottom, height, strict=True)]
    work.bar_label(bars, [f"{whole:.2g}" for whole in middle(first, core)], padding=2)
    work.axhline(1, color="black", linewidth=0.8, linestyle=":")
    work.set(title=f"work of the coordinator ({first.replace('/', ', ')})", ylabel="cores", ylim=(0, None))
    work.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, 0.93), reverse=True)  # below the line, as they lie

    for label, which, (colour, marker) in zip(("the latest event", "the median one"), (1, 0), LINES, strict=False):
        lags = middle(first, lambda row, which=which: lag_of(row)[which])
        behind.plot(names, lags, color=colour, marker=marker, label=label)
    behind.axhline(TOGETHER, color="black", linewidth=0.8, linestyle=":")
    behind.annotate("epochs are sent together", (0, TOGETHER), xytext=(0, -14), textcoords="offset points")
    behind.set(title=f"MLflow behind ({first.replace('/', ', ')})", ylabel="seconds", yscale="log")
    behind.set(ylim=(1, 10 ** math.ceil(math.log10(behind.get_ylim()[1]))))
    behind.yaxis.set_major_formatter("{x:,g}")
    behind.legend(frameon=False, loc="upper left")
    for axes in (used, work, behind):
        axes.set(xlabel="slots")
    figure.savefig(out, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slots", type=int, nargs="+", default=[8, 64, 512, 4096])
    parser.add_argument("--searches", nargs="+", default=list(SEARCHES), metavar="SAMPLER/PRUNER")
    parser.add_argument("--per-slot", type=int, default=2, help="trials (default: %(default)s)")
    parser.add_argument("--at-least", type=int, default=256, help="of them in all (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="seeds (default: %(default)s); 0: shows FILE")
    parser.add_argument("--events", type=int, default=40_000, help="that MLflow gets at most (default: %(default)s)")
    parser.add_argument("--slowdown", type=float, default=2.0, help="of the coordinator's work (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--record", type=Path, metavar="FILE", help="adds to it, and only measures what it lacks")
    parser.add_argument("--out", type=Path, metavar="PNG")
    args = parser.parse_args()
    rows = read(args.record)
    run(args, rows)
    rows = dict(sorted(rows.items(), key=lambda row: row[0][0]))
    by_search: dict[tuple[int, str], list[Row]] = {}
    for (slots, search, _), row in rows.items():
        by_search.setdefault((slots, search), []).append(row)
    lines = [(f"{slots:,} slots, {search}", *cells(of)) for (slots, search), of in by_search.items()]
    table.show("medians; work in cores", (*HEAD, "memory"), lines)
    if args.out:
        draw(rows, args.out)


if __name__ == "__main__":
    main()

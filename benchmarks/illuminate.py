"""How good SAIL's maps are: the best of each kind, by few evaluations, against searches without a surrogate.

python benchmarks/illuminate.py --record illuminate.jsonl --out docs/pictures/illuminate.png   # pip install -e .[bench]

QD-score: the sum over the map's cells of how much their elites are above the lowest value that there can be, as a share
of the same of a reference, which has seen 260,096 true evaluations (all 42,768 of the perceptrons on the digits).
Coverage: filled cells, as a share of those that the reference fills. Best value: 0 is the lowest that there can be, 1
the highest. Seconds are the processor's, one thread, for asking and telling, of the last 20 trials.

Samplers of Optuna's and SAIL are as they come, NSGA-II with a population of 20 and with a further objective for each
descriptor, the less the better. pyribs' emitters of CMA begin in the middle of the space; its settings are the best of
many. SAIL knows the descriptors of hyperparameters, unless they are `learned`. A prediction map, which no other search
has, is evaluated truly, cell by cell: that takes the evaluations more that its table counts.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

import numpy as np
import picture
import table
from maps import Course, Reference, course
from problems import PROBLEMS
from seekers import MAP_ELITES, NAMES, OURS, PEERS, Prediction, Search, search

FAR = 10  # times as many evaluations, for MAP-Elites to come as far as SAIL
LATEST = 20  # trials
AHEAD, FEWER, COVERED, SECONDS = 0.15, 5, 0.95, 0.1  # the goals
COLOURS = dict(zip(NAMES, ("#4c78a8", "#72b7b2", "#9ecae9", "#b279a2", "#9d9d9d", "#54a24b", "#eeca3b"), strict=False))
COLOURS |= {MAP_ELITES: "#e45756", "CMA-ME": "#f58518", "CMA-MAE": "#ff9da6"}

Task = tuple[str, str, int]  # problem, who searches, seed
Runs = dict[Task, Search]


def read(record: Path | None) -> Runs:
    runs = {}
    for row in map(json.loads, record.read_text().splitlines() if record and record.exists() else ()):
        predictions = {int(count): Prediction(**each) for count, each in row["search"].pop("predictions").items()}
        runs[tuple(row["task"])] = Search(**row["search"], predictions=predictions)
    return runs


def measure(args: argparse.Namespace, runs: Runs) -> None:
    """What `runs` lacks."""
    tasks = [(problem, name, seed) for problem in args.problems for name in args.names for seed in seeds(name, args)]
    tasks.sort(key=lambda task: task[2])
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that begin now
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(args.processes, mp_context=spawn) as pool:
        begun = {pool.submit(_searched, task, args.evaluations): task for task in tasks if task not in runs}
        for future in as_completed(begun):
            task = begun[future]
            runs[task] = future.result()
            print(*task, flush=True)
            if args.record:
                with open(args.record, "a") as file:
                    file.write(json.dumps({"task": task, "search": asdict(runs[task])}) + "\n")


def seeds(name: str, args: argparse.Namespace) -> range:
    """Half of them for SAIL's variants, which take nearly all of the time."""
    return range(args.seeds if name == OURS or name in PEERS else (args.seeds + 1) // 2)


def _searched(task: Task, looks: list[int]) -> Search:
    problem, name, seed = task
    count = max(looks) * (FAR if name == MAP_ELITES else 1)
    return search(name, PROBLEMS[problem](), seed, count, looks)


def show(title: str, courses: dict[str, list[Course]], looks: Sequence[int]) -> None:
    """courses: by who searches, one a seed."""
    last = max(looks)
    heads = [f"QD at {count}" for count in looks] + [f"{what} at {last}" for what in ("coverage", "best", "s a trial")]
    rows = []
    for name, each_seed in courses.items():
        cells = [spread([each.quality[count - 1] for each in each_seed]) for count in looks]
        cells += [spread([getattr(each, what)[last - 1] for each in each_seed]) for what in ("coverage", "best")]
        rows.append((name, f"{len(each_seed)}", *cells, f"{np.median([_cost(each, last) for each in each_seed]):.3f}"))
    table.show(f"{title}: medians and quartiles", ("seeds", *heads), rows)


def show_predictions(title: str, runs: dict[str, list[Search]], reference: Reference, looks: Sequence[int]) -> None:
    heads = ("after", "evaluations more", "error", "rank correlation", "QD, evaluated", "coverage")
    rows = []
    for name, count in ((name, count) for name in runs for count in looks):
        found = [search.predictions[count] for search in runs[name] if count in search.predictions]
        if found:
            true = [course(each.values, each.places, reference) for each in found]
            rest = [[each.error for each in found], [each.rank for each in found]]
            rest += [[each.quality[-1] for each in true], [each.coverage[-1] for each in true]]
            rows.append((name, f"{count}", f"{np.median([each.cells for each in found]):.0f}", *map(spread, rest)))
    if rows:
        table.show(f"{title}: prediction maps", heads, rows)


def spread(values: Sequence[float]) -> str:
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return f"{middle:.3f} ({low:.3f}-{high:.3f})"


def _cost(course: Course, count: int) -> float:
    return float(course.seconds[max(0, count - LATEST) : count].mean())


def judge(title: str, courses: dict[str, list[Course]], looks: Sequence[int]) -> None:
    """Which goals are met, and who is better than SAIL in what."""
    last = max(looks)

    def middle(name: str, what: str, count: int) -> float:
        return float(np.median([getattr(each, what)[count - 1] for each in courses[name]]))

    peers = [name for name in courses if name in PEERS]
    best = max(peers, key=lambda name: middle(name, "quality", last))
    ahead = middle(OURS, "quality", last) - middle(best, "quality", last)
    covered = middle(OURS, "coverage", last)
    seconds = float(np.median([_cost(each, last) for each in courses[OURS]]))
    print(f"\n{title}: goals at {last} evaluations")
    print(_verdict(ahead >= AHEAD), f"QD {ahead:+.3f} against the best peer, {best}; goal {AHEAD:+}")
    if MAP_ELITES in courses:
        pairs = zip(courses[OURS], courses[MAP_ELITES], strict=True)
        times = float(np.median([theirs.evaluations_to(ours.quality[last - 1]) / last for ours, theirs in pairs]))
        told = f"more than {FAR}" if np.isinf(times) else f"{times:.1f}"
        print(_verdict(times >= FEWER), f"{told} times fewer evaluations than MAP-Elites for that QD; goal {FEWER}")
    print(_verdict(covered >= COVERED), f"coverage {covered:.3f}; goal {COVERED}")
    print(_verdict(seconds <= SECONDS), f"{seconds:.3f} s a trial; goal {SECONDS}")
    for what in ("quality", "coverage", "best"):
        for count in looks:
            ours, better = middle(OURS, what, count), {name: middle(name, what, count) for name in courses}
            lost = ", ".join(f"{name} {value:.3f}" for name, value in better.items() if value > ours + 0.0005)
            if lost:
                print(f"SAIL's {what} at {count} is {ours:.3f}, less than of {lost}")


def _verdict(is_met: bool) -> str:
    return "met    " if is_met else "NOT MET"


def draw(by_problem: dict[str, dict[str, list[Course]]], count: int, out: Path) -> None:
    figure, panels = picture.panels(4 * len(by_problem) + 1, 3.6, len(by_problem))
    x = np.arange(1, count + 1)
    for axes, (problem, courses) in zip(panels, by_problem.items(), strict=True):
        for name, each_seed in courses.items():
            low, middle, high = np.quantile([each.quality[:count] for each in each_seed], (0.25, 0.5, 0.75), axis=0)
            style = "-" if name == OURS or name in PEERS else "--"
            axes.fill_between(x, low, high, color=COLOURS[name], linewidth=0, alpha=0.15)
            axes.plot(x, middle, style, color=COLOURS[name], label=name, linewidth=2.5 if name == OURS else 1.3)
        axes.set(title=problem, xlabel="evaluations", xlim=(0, count), ylim=(0, 1))
        axes.grid(axis="y", alpha=0.3)
    panels[0].set_ylabel("QD-score, of the reference's")
    figure.legend(*panels[0].get_legend_handles_labels(), frameon=False, loc="outside right center", fontsize="small")
    figure.savefig(out, dpi=75)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--names", nargs="+", choices=NAMES, default=list(NAMES), help="who searches")
    parser.add_argument("--evaluations", type=int, nargs="+", default=[50, 100, 200], help="after which it is looked")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="default: %(default)s")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="adds what was measured, and measures only the rest"
    )
    parser.add_argument("--out", type=Path, metavar="PNG")
    args = parser.parse_args()
    runs = read(args.record)
    measure(args, runs)
    by_problem = {}
    for problem in args.problems:
        reference = Reference.of(PROBLEMS[problem]())
        found = {name: [runs[problem, name, seed] for seed in seeds(name, args)] for name in args.names}
        courses = {
            name: [course(each.values, each.cells, reference, each.seconds) for each in searches]
            for name, searches in found.items()
        }
        show(problem, courses, args.evaluations)
        show_predictions(problem, found, reference, args.evaluations)
        if OURS in courses and set(PEERS) & set(courses):
            judge(problem, courses, args.evaluations)
        by_problem[problem] = courses
    if args.out:
        draw(by_problem, max(args.evaluations), args.out)


if __name__ == "__main__":
    main()

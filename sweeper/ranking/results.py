"""The end of a sweep: `leaderboard.csv` and `optimization_results.yaml` in its folder, and a summary on the screen."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from rich.console import Console
from rich.text import Text

from sweeper import drawing, text
from sweeper.config import command
from sweeper.ranking import axes, standings, table
from sweeper.records import lineage, record, sweeps
from sweeper.records.record import Sweep, Trial
from sweeper.records.states import FAILURES, label
from sweeper.search import constraints
from sweeper.training import objectives
from sweeper.training.trainer import AUTOMATIC

LEADERBOARD = "leaderboard.csv"
RESULTS = "optimization_results.yaml"
PARETO = "pareto.png"
SCHEDULE = "schedule.png"
TOP = 10  # rows of the summary's tables


def write(sweep: Sweep) -> None:
    """Writes all trials as CSV, and the best as hydra-optuna-sweeper does; without a finished trial only the CSV.

    Of several objectives also a picture, and of a population one of the schedule that it found.
    """
    standings.write_csv(sweep.folder / LEADERBOARD, standings.of([sweep]))
    if sweep.finished:
        OmegaConf.save(OmegaConf.create(_solutions(sweep)), sweep.folder / RESULTS)
        if len(sweep.started.directions) > 1:
            _draw_front(sweep)
        if lineage.is_population(sweep):
            _draw_schedule(sweep)


def summary(sweep: Sweep, console: Console) -> None:
    """Prints the best trials, why others failed, and what to type next."""
    console.print()
    for standing in standings.of([sweep]):
        table.show(standing, TOP, console)
    for line in (*_on_constraints(sweep), *_on_front(sweep), *_on_population(sweep), *_on_auto(sweep)):
        _print(console, line)
    for trial in sweep.trials:
        if trial.tested:
            accuracy, images = trial.tested.metrics["test_accuracy"], trial.tested.images
            _print(console, f"Trial {trial.number} on {images:,} test images: accuracy {text.value(accuracy)}", "bold")
            _print(console, f"  pictures of it: {_near(trial.folder / record.PICTURES)}")
    for line in _on_failures(sweep):
        _print(console, line, "red")
    _print(console, f"Written to {_near(sweep.folder)}. Next:")
    for line in _next_commands(sweep):
        _print(console, f"  {line}")


def paragraph(words: str, console: Console, style: str = "") -> None:
    """Broken between words on a terminal; see `text.wrapped`. Each line of it is printed as text alone."""
    lines = "\n".join(map(text.printable, words.split("\n")))
    console.print(Text(text.wrapped(lines, console.width if console.is_terminal else None), style), soft_wrap=True)


def resuming(sweep: Sweep) -> str:
    """The command that goes on with what it leaves open."""
    if sweep.is_single:
        return command.resuming(sweep.started.command, str(_near(sweep.folder)), "hydra.run.dir")
    return command.resuming(sweep.started.command, sweeps.name(sweep.folder))


def _solutions(sweep: Sweep) -> dict[str, Any]:
    if len(sweep.started.directions) == 1:
        return {"name": "optuna", "best_params": sweep.best.params, "best_value": sweep.best.values[0]}
    front = [{"params": trial.params, "values": list(trial.values)} for trial in sweep.pareto_front()]
    return {"name": "optuna", "solutions": front}


def _draw_front(sweep: Sweep) -> None:
    from sweeper.ranking import front  # NumPy: only here

    directions = sweep.started.directions
    best = {trial.number for trial in sweep.pareto_front()}
    shown = [
        front.Outcome(trial.number, trial.values, trial.number in best, not trial.missed) for trial in sweep.ranked()
    ]
    names = objectives.split(sweep.started.metric, len(directions))
    drawing.save(front.draw(shown, names, directions), sweep.folder / PARETO)


def _draw_schedule(sweep: Sweep) -> None:
    from sweeper.evolution import found, picture

    of = found.of(sweep)
    if of:
        drawing.save(picture.draw(of), sweep.folder / SCHEDULE)


def _on_population(sweep: Sweep) -> list[str]:
    """Which segments led to the best network."""
    if sweep.best is None or not lineage.of(sweep.best.params):
        return []
    line = ", ".join(str(trial.number) for trial in lineage.ancestors(sweep.trials, sweep.best))
    return [f"Line of the best network: trials {line}", f"  picture of it: {_near(sweep.folder / SCHEDULE)}"]


def _on_constraints(sweep: Sweep) -> list[str]:
    """What the nearest trial misses, if none meets all constraints."""
    best = sweep.best
    if best is None or not best.missed:
        return []
    return [
        f"No trial meets the constraints. The nearest one, {best.number}, {constraints.reason(best.missed, best.facts)}"
    ]


def _on_front(sweep: Sweep) -> list[str]:
    """Of several objectives: which trials are the front, which one `best` means, whose networks are gone."""
    front = sweep.pareto_front()
    if len(sweep.started.directions) == 1 or not front:
        return []
    names = objectives.split(sweep.started.metric, len(sweep.started.directions))
    lines = [
        f"Pareto front: trials {_listed(front)}. Best by {names[0]}: trial {sweep.best.number}, `best` below",
        f"  picture of it: {_near(sweep.folder / PARETO)}",
    ]
    gone = [trial for trial in front if not trial.model.exists()]
    if gone and len(gone) < len(front):
        lines.append(f"  networks not kept: trials {_listed(gone)}. Keep more: hydra.sweeper.keep_models={len(front)}")
    return lines


def _on_auto(sweep: Sweep) -> list[str]:
    """What `auto` in conf/trainer became on this machine, in the best trial."""
    facts = sweep.best.facts if sweep.best else {}
    chosen = [f"trainer.{key}={facts[key]}" for key in AUTOMATIC if key in facts]
    return [f"On this machine `auto` is {', '.join(chosen)}"] if chosen else []


def _listed(trials: list[Trial]) -> str:
    return ", ".join(str(trial.number) for trial in trials)


def _on_failures(sweep: Sweep) -> list[str]:
    """`2 out of memory: first line of the reason`, the commonest first; not those that ended the sweep and are told
    with that."""
    told = text.without_numbers((sweep.ended and sweep.ended.reason) or "").split("\n")
    counts, reasons = Counter[tuple[str, str]](), {}
    for trial in sweep.trials:
        if trial.state in (*FAILURES, "CRASHED"):
            reason = text.first_line(trial.reason) or "no reason was told"
            alike = text.without_numbers(reason)
            message = alike.partition(": ")[2] or alike  # a sentence for the user is told without its class
            if not any(line.startswith((alike, message)) for line in told):
                counts[label(trial.state), alike] += 1
                reasons.setdefault(alike, reason)
    return [f"{count} {state}: {reasons[alike]}" for (state, alike), count in counts.most_common()]


def _next_commands(sweep: Sweep) -> list[str]:
    name = sweeps.name(sweep.folder)
    looks = ("leaderboard", "report", *(("map",) if axes.recorded(sweep) else ()))
    commands = [f"python -m sweeper {look} --sweep {name}" for look in looks]
    if sweep.best and sweep.best.model.exists():
        commands.append(command.exporting("best", sweep.started.allow, name))
    started = sweep.started.command
    is_confirmable = command.ours(started) and not lineage.is_population(sweep)
    if len(sweep.finished) > 1 and is_confirmable and "hydra.sweeper.confirm=" not in started:
        commands.append(f"python -m sweeper confirm --sweep {name}")
    if sweep.run_id:
        commands.append(f"python -m sweeper ui --sweep {name}")
    hopeless = sweep.ended and sweep.ended.state == "FAILED" and not sweep.finished
    if not hopeless and sweep.goes_on:
        commands.append(resuming(sweep))
    return commands


def _near(path: Path) -> Path:
    """As short as it can be typed here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _print(console: Console, line: str, style: str = "") -> None:
    paragraph(text.printable(line), console, style)

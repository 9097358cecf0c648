"""`python -m sweeper plan`: what a sweep will cost and what in it would fail, before it is started."""

from __future__ import annotations

import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from hydra.core.singleton import Singleton
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sweeper import text
from sweeper.config.compose import add_overrides
from sweeper.errors import ConfigError
from sweeper.machine import hardware

if TYPE_CHECKING:
    from sweeper.machine.energy import Meter
    from sweeper.planning.forecast import Forecast
    from sweeper.planning.prospect import Prospect
    from sweeper.planning.tryout import Tried

GB = 1e9  # bytes
FIELDS = (
    "params",
    "parameters",
    "mflops",
    "memory_bytes",
    "gpu_memory_bytes",
    "step_seconds",
    "trial_seconds",
    "fails",
)


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        "Trains a few steps at the corners of a search space, which are the options of the searched config groups and "
        "the ends of all ranges, and tells what the sweep will cost and what in it would fail. The command is the "
        "sweep's own with `plan` put in front. Nothing stays on the disk. Exit code: 0 all corners would run, 1 some "
        "would fail, 2 the command line is wrong. When piped: a corner a line, tab-separated, then the figures of the "
        "sweep, one a line."
    )
    add_overrides(parser, "model=custom,alexnet hparams=search trainer.batch_size=32,512 hydra.sweeper.n_trials=50")
    parser.add_argument("-m", "--multirun", action="store_true", help="as the sweep has it; means nothing more here")
    parser.add_argument(
        "--most", metavar="N", type=int, default=12, help="corners, but each option at least once (default: 12)"
    )
    parser.add_argument("--watts", metavar="W", type=float, help="that the machine draws while it trains")


def run(args: Namespace) -> int:
    """Raises: ConfigError if the sweep would not start."""
    if args.most < 1:
        raise ConfigError(f"--most {args.most}: give the number of corners, from 1.")
    if args.watts is not None and not args.watts > 0:
        raise ConfigError(f"--watts {args.watts:g}: give what the machine draws, a number above 0.")
    from sweeper.machine import energy  # Optuna starts here
    from sweeper.planning import forecast, prospect  # Optuna starts here

    with tempfile.TemporaryDirectory(prefix="sweeper-plan-", ignore_cleanup_errors=True) as folder:
        planned, meter = prospect.read(args.overrides, Path(folder)), energy.Meter()
        tried, start_up = _tried(planned, args.most, meter, Path(folder))
    power = energy.Power(args.watts, "--watts") if args.watts else meter.power(hardware.cores())
    measured = [one.measured for one in tried if one.measured]
    slots = planned.executor.slots
    expected = forecast.of(measured, start_up, planned.n_trials, slots, power) if measured else None
    console = Console(highlight=False)
    _show(tried, expected, console) if console.is_terminal else _pipe(tried, expected)
    return int(any(one.failure for one in tried))


def _tried(planned: Prospect, most: int, meter: Meter, folder: Path) -> tuple[list[Tried], float]:
    from sweeper.engine.slot import Work
    from sweeper.planning import corners, tryout
    from sweeper.planning.preflight import measure

    sampled, began = corners.sample(planned.space, most), time.monotonic()
    work = Work(planned.context, planned.config, measure, Singleton.get_state())
    with closing(planned.executor), Console(stderr=True).status("") as status:

        def tick(done: int) -> None:
            meter.sample()
            status.update(f"{done} of {len(sampled)} corners tried, {text.clock(time.monotonic() - began)}")

        tick(0)
        return tryout.try_out(sampled, planned.space, work, planned.executor, folder, tick)


def _show(tried: Sequence[Tried], expected: Forecast | None, console: Console) -> None:
    console.print(_table(tried))
    for number, one in enumerate(tried, 1):
        if one.failure:
            console.print(Text(f"{number} fails: {one.failure}", "red"))
    if expected:
        console.print()
        for sentence in _sentences(expected):
            console.print(Text(sentence))


def _table(tried: Sequence[Tried]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", justify="right")
    table.add_column("corner", overflow="fold")
    on_gpu = any(one.measured and one.measured.gpu_memory is not None for one in tried)
    for title in ("size", "MFLOPs", "memory", *(["on GPU"] if on_gpu else []), "a step", "a trial"):
        table.add_column(title, justify="right", no_wrap=True)
    for number, one in enumerate(tried, 1):
        cells = ["fails"]
        if cost := one.measured:
            gpu = [_gigabytes(cost.gpu_memory or 0)] if on_gpu else []
            cells = [text.size(cost.parameters), f"{cost.mflops:,.1f}", _gigabytes(cost.memory), *gpu]
            cells += [_short(cost.step), text.duration(cost.seconds)]
        table.add_row(str(number), Text(text.params(one.corner.params)), *cells, style="red" if one.failure else "")
    return table


def _sentences(expected: Forecast) -> Iterator[str]:
    seconds, fastest, slowest = map(text.duration, (expected.seconds, expected.fastest, expected.slowest))
    yield (
        f"{expected.trials} trials on {expected.slots} slots: about {seconds}, {fastest} if all were like the fastest "
        f"corner, {slowest} like the slowest. An upper estimate: no trial is pruned or stops early."
    )
    yield f"Energy: about {expected.watt_hours:.3g} Wh, at {expected.power.watts:.0f} W from {expected.power.source}."
    total = psutil.virtual_memory().total
    if expected.memory > total:
        yield (
            f"Memory: {expected.slots} slots could need {_gigabytes(expected.memory)}, this machine has "
            f"{_gigabytes(total)}. Give fewer with hydra.sweeper.n_jobs."
        )


def _pipe(tried: Sequence[Tried], expected: Forecast | None) -> None:
    print(*FIELDS, sep="\t")
    for one in tried:
        params = " ".join(f"{key}={value}" for key, value in one.corner.params.items())
        cells: list[object] = [""] * 6
        if cost := one.measured:
            gpu = "" if cost.gpu_memory is None else cost.gpu_memory
            cells = [cost.parameters, cost.mflops, cost.memory, gpu, round(cost.step, 6), round(cost.seconds, 3)]
        print(params, *cells, one.failure or "", sep="\t")
    if expected:
        for name in ("trials", "slots", "seconds", "fastest", "slowest", "memory", "watt_hours"):
            print(name, getattr(expected, name), sep="\t")
        print("watts", expected.power.watts, expected.power.source, sep="\t")


def _gigabytes(size: int) -> str:
    return f"{size / GB:.2f} GB"


def _short(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else text.duration(seconds)

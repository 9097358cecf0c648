import io
import os
import pty
import re
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace

import pytest
from rich.console import Console

from sweeper.engine.limits import Limits
from sweeper.engine.progress import Progress
from sweeper.records.events import EpochReported, SweepEnded, SweepStarted, TrialEnded, TrialStarted
from sweeper.records.record import Trial
from sweeper.search.settings import Settings

PARAMS = {"hparams.lr": 0.0021, "hparams.dropout": 0.31, "hparams.weight_decay": 1.23e-5}
SWEEP = SweepStarted("monday", "cmd", "val_accuracy", ("maximize",), 20, None, 0.0)


def trial(number, state, *values, reason=None, seconds=9.8):
    start = TrialStarted(number, 0, PARAMS, "cmd", str(number), 100.0)
    return start, TrialEnded(number, state, values or None, reason, {}, 100.0 + seconds)


def lines(events, **options):
    """What a log file gets."""
    file = io.StringIO()
    progress = Progress(
        20, "val_accuracy", (options.pop("direction", "maximize"),), 2, console=Console(file=file), **options
    )
    for event in events:
        progress.write(event)
    progress.close()
    return file.getvalue().splitlines()


def test_without_a_terminal_each_trial_that_ends_is_one_line():
    shown = lines(
        [
            SWEEP,
            *trial(3, "FINISHED", 0.9916),
            TrialStarted(9, 0, PARAMS, "cmd", "9", 100.0),
            EpochReported(9, 1, 0.9999, {}, 101.0),
            *trial(6, "FINISHED", 0.9832, seconds=75),
            *trial(7, "PRUNED", 0.5, reason="behind the others"),
            *trial(8, "CRASHED", reason="killed"),
            *trial(8, "FAILED", reason="ValueError: no\nTraceback"),
            SweepEnded("FINISHED", None, 3, 0.0),
        ]
    )
    chosen, best = "lr=0.0021 dropout=0.31 weight_decay=1.2e-05", "  best 0.9916 (trial 3)"
    assert shown == [
        "Sweep monday: 20 trials on 2 slots, maximize val_accuracy",
        f"[ 1/20] trial 3 finished  val_accuracy 0.9916  {chosen}  9.8 s {best}",
        f"[ 2/20] trial 6 finished  val_accuracy 0.9832  {chosen}  1:15 {best}",
        f"[ 3/20] trial 7 pruned  val_accuracy 0.5000  {chosen}  9.8 s  behind the others {best}",
        f"[ 3/20] trial 8 crashed  {chosen}  9.8 s  killed {best}",
        f"[ 4/20] trial 8 failed  {chosen}  9.8 s  ValueError: no {best}",
    ]


def test_what_several_trials_fail_of_is_told_once():
    reasons = ("ConfigError: filters=-3, dropout=0.45", "ConfigError: filters=-3, dropout=3e-05", "OSError: no")
    shown = lines([SWEEP, *(event for n, told in enumerate(reasons) for event in trial(n, "FAILED", reason=told))])
    assert [line.rpartition("9.8 s  ")[2] for line in shown[1:]] == [reasons[0], "as trial 0", reasons[2]]


def test_events_of_a_trial_whose_start_is_not_known_are_left_out():
    _, end = trial(5, "FINISHED", 0.9)
    assert len(lines([SWEEP, EpochReported(5, 1, 0.5, {}, 101.0), end, *trial(6, "FINISHED", 0.8)])) == 2


def test_on_a_terminal_a_long_reason_is_broken_between_words():
    file = io.StringIO()
    progress = Progress(1, "loss", ("minimize",), 1, console=Console(file=file, force_terminal=True, width=80))
    reason = "ConfigError: sweeper.models.custom.build refuses what it was given (model.filters=-3): Invalid value"
    for event in (SWEEP, *trial(0, "FAILED", reason=reason)):
        progress.write(event)
    progress.close()
    told = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", file.getvalue()).partition("[1/1]")[2].splitlines()
    assert all(len(line) <= 80 for line in told)
    assert set(reason.split()) <= {word for line in told for word in line.split()}


@pytest.mark.parametrize(
    ("direction", "best"), [("maximize", "best 0.8000 (trial 1)"), ("minimize", "best 0.2000 (trial 0)")]
)
def test_the_best_is_by_the_direction_and_only_of_finished_trials(direction, best):
    events = [SWEEP, *trial(0, "FINISHED", 0.2), *trial(1, "FINISHED", 0.8), *trial(2, "PRUNED", 0.9)]
    assert lines([*events, *trial(3, "PRUNED", 0.1)], direction=direction)[-1].endswith(best)


def several(number, accuracy, cost, missed=None):
    start, end = trial(number, "FINISHED", accuracy, cost)
    reason = "misses mflops <= 50 by 10" if missed else None
    return start, replace(end, missed=missed or {}, reason=reason)


def test_of_several_objectives_the_size_of_the_front_is_shown_and_no_best():
    events = [SWEEP, *several(0, 0.5, 10.0), *several(1, 0.9, 30.0), *several(2, 0.4, 20.0)]
    file = io.StringIO()
    metric, directions = "val_accuracy,mflops", ("maximize", "minimize")
    progress = Progress(20, metric, directions, 2, console=Console(file=file))
    for event in (*events, *several(3, 0.99, 60.0, {"mflops <= 50": 10.0})):
        progress.write(event)
    title, *shown = file.getvalue().splitlines()
    assert title.endswith("maximize val_accuracy, minimize mflops")
    assert [line.rpartition("  ")[2] for line in shown] == [f" Pareto front of {n}".strip() for n in (1, 2, 2, 2)]
    assert "val_accuracy 0.9900 mflops 60.0000" in shown[-1]
    assert "misses mflops <= 50 by 10" in shown[-1]
    assert frame(progress)[2] == "Pareto front: 2 trials (0, 1)"


def test_while_no_trial_meets_the_constraints_none_is_best():
    progress = Progress(20, "val_accuracy", ("maximize",), 2, console=Console(file=io.StringIO()))
    start, end = trial(0, "FINISHED", 0.9)
    for event in (start, replace(end, missed={"mflops <= 50": 10.0})):
        progress.write(event)
    assert frame(progress)[2] == "best val_accuracy: none meets the constraints yet"


def test_a_resumed_sweep_counts_what_it_has():
    before = [Trial(0, PARAMS, "cmd", None, "FINISHED", (0.9,)), Trial(1, PARAMS, "cmd", None, "PRUNED", (0.1,))]
    assert lines([SWEEP, *trial(2, "FINISHED", 0.8)], before=before)[-1].startswith("[ 3/20] trial 2")
    assert lines([SWEEP, *trial(2, "FINISHED", 0.8)], before=before)[-1].endswith("best 0.9000 (trial 0)")


def frame(progress):
    """The display as plain lines of at most 80 characters."""
    console = Console(file=io.StringIO(), width=80)
    console.print(progress)
    return console.file.getvalue().splitlines()


@pytest.fixture
def progress():
    """Two trials run, one finished, one was pruned, one crashed and started again; ten seconds each."""
    now = time.time()
    progress = Progress(20, "val_accuracy", ("maximize",), 2, console=Console(file=io.StringIO(), width=80))
    for event in (
        *trial(0, "FINISHED", 0.9916, seconds=10),
        *trial(1, "PRUNED", 0.2, seconds=10),
        *trial(2, "CRASHED"),
    ):
        progress.write(event)
    for number in (2, 3):
        progress.write(TrialStarted(number, 1, PARAMS, "cmd", str(number), now))
    progress.write(EpochReported(3, 4, 0.75, {}, now))
    return progress


def test_the_display_has_counts_the_best_and_a_line_for_each_running_trial(progress):
    bar, *rest = frame(progress)
    # 16 wait and 2 run, ten seconds each, on 2 slots
    assert re.fullmatch(r"2/20 trials  \S+ +0:0\d, about 1:(30|2\d) left", bar)
    assert rest == [
        "2 running, 1 finished, 1 pruned, 1 crashed",
        "best val_accuracy 0.9916  trial 0  lr=0.0021 dropout=0.31 weight_decay=1.2e-05",
        "  trial 2    epoch 0           lr=0.0021 dropout=0.31 weight_decay=1.2e-05",
        "  trial 3    epoch 4   0.7500  lr=0.0021 dropout=0.31 weight_decay=1.2e-05",
    ]


def test_a_limit_is_shown_with_the_trials_that_it_leaves_room_for():
    limits = Limits(Settings(sampler=None, pruner=None, executor=None, timeout=45))
    console = Console(file=io.StringIO(), width=120)
    progress = Progress(20, "val_accuracy", ("maximize",), 2, console=console, limits=limits)
    progress.write(SWEEP)
    assert ", for 0:45 at most" in console.file.getvalue()
    for event in (*trial(0, "FINISHED", 0.9, seconds=10), *trial(1, "FINISHED", 0.8, seconds=10)):
        progress.write(event)
    assert re.search(r", stops in 0:4[45], time for about 9 trials", frame(progress)[0])


def test_a_line_too_long_is_cut_not_wrapped(progress):
    many = {f"group.parameter{number}": "x" * 20 for number in range(5)}
    progress.write(TrialStarted(4, 0, many, "cmd", "4", time.time()))
    assert len(frame(progress)) == 6
    assert frame(progress)[-1].endswith("…")


def test_before_the_first_trial_the_display_says_what_is_awaited():
    fresh = Progress(20, "val_accuracy", ("maximize",), 2)
    assert frame(fresh)[1:] == ["the slots are starting", "best val_accuracy: none finished yet"]


def test_a_closed_terminal_stops_no_sweep():
    file = io.StringIO()
    progress = Progress(20, "val_accuracy", ("maximize",), 2, console=Console(file=file, force_terminal=True))
    progress.write(SWEEP)
    file.close()
    for event in trial(0, "FAILED", reason="no"):
        progress.write(event)
    progress.close()


LIVE = """
import time
from sweeper.records.events import *
from sweeper.engine.progress import Progress
progress = Progress(2, "val_accuracy", ("maximize",), 1)
progress.write(SweepStarted("monday", "cmd", "val_accuracy", ("maximize",), 2, None, time.time()))
for number, state in enumerate(("FAILED", "FINISHED")):
    progress.write(TrialStarted(number, 0, {"lr": 0.1}, "cmd", "0", time.time()))
    for epoch in range(1, 101):
        progress.write(EpochReported(number, epoch, 0.5, {}, time.time()))
        time.sleep(0.01)
    progress.write(TrialEnded(number, state, (0.5,), "out of memory", {}, time.time()))
progress.close()
"""


def read_all(terminal):
    """Until the last process has closed it, which Linux tells by an error."""
    parts = []
    with open(terminal, "rb", buffering=0) as file, suppress(OSError):
        while part := file.read(4096):
            parts.append(part)
    return b"".join(parts).decode()


def test_on_a_terminal_the_display_is_refreshed_at_most_four_times_a_second():
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm", "NO_COLOR": "1"}
    begin = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", LIVE], env=environment, stdout=theirs)
    os.close(theirs)
    shown = read_all(ours)
    assert process.wait(60) == 0
    seconds = time.monotonic() - begin
    frames = shown.count("/2 trials")
    assert 4 <= frames <= 4 * seconds + 4  # one more at the start, at the end and beside the line of the failure
    assert "trial 0 failed" in shown
    assert "out of memory" in shown
    assert "1 finished, 1 failed" in shown.rpartition("2/2 trials")[2]


@pytest.mark.parametrize(("running", "last"), [(8, "  trial 7 "), (9, "  and 2 more"), (4096, "  and 4,089 more")])
def test_a_terminal_shows_as_many_running_trials_as_it_has_room_for(running, last):
    file = io.StringIO()
    progress = Progress(
        5000, "val_accuracy", ("maximize",), 4096, console=Console(file=file, force_terminal=True, width=80, height=12)
    )
    for number in range(running):
        progress.write(TrialStarted(number, 0, PARAMS, "cmd", str(number), 100.0))
    progress.show()
    shown = re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue()).splitlines()
    assert f"{running} running" in shown[1]
    assert len(shown) == 11
    assert shown[-1].startswith(last)

"""A sweep as it happens: a live display on a terminal, a line a trial anywhere else."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, get_args

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sweeper import text
from sweeper.engine.limits import Limits
from sweeper.records import pareto
from sweeper.records.events import EpochReported, Event, SweepStarted, TrialEnded, TrialStarted
from sweeper.records.record import DUPLICATE_OF, Trial, losses
from sweeper.records.states import FAILURES, OPEN, State, colour, label
from sweeper.training import objectives

REFRESHES = 4  # a second
_ABOVE = 4  # lines of the display that are no trial: bar, counts, best, and the one with the cursor
_COUNTED = ("RUNNING", *(state for state in get_args(State) if state != "CRASHED"), "CRASHED")


@dataclass(frozen=True)
class _Shown:
    """What the display knows of one trial."""

    number: int
    params: dict[str, Any]
    started: float  # seconds since 1970
    seconds: float = 0.0  # once it ended
    state: str = "RUNNING"
    epoch: int = 0
    value: float | None = None  # the last one heard; of several objectives the first
    point: pareto.Point | None = None  # once it finished, if it was trained


class Progress:
    """Listens to the events of a sweep. `write` never raises: a terminal that went away must not stop the training."""

    def __init__(
        self,
        n_trials: int,
        metric: str,
        directions: tuple[str, ...],
        slots: int | None,
        *,
        began: float | None = None,
        before: Iterable[Trial] = (),
        limits: Limits | None = None,
        console: Console | None = None,
        elsewhere: Callable[[], int] = lambda: 0,
    ):
        """slots: None if unknown. began: seconds since 1970, None is now.

        before: the trials of the sessions before, when a sweep is resumed.
        elsewhere: how many trials other sweeps of the study have ended.
        """
        self._n_trials, self._directions, self._slots = n_trials, directions, slots
        self._metrics = objectives.split(metric, len(directions))
        self._trials: dict[int, _Shown] = {}
        self._states: Counter[str] = Counter()  # of those
        self._front: list[_Shown] = []  # the best that finished and are feasible: of several objectives, or equals
        for trial in before:
            self._put(_shown(trial, directions))
        self._crashes, self._limits, self._elsewhere = 0, limits, elsewhere
        self._reasons: dict[str, int] = {}  # without their numbers: the trial that told it first
        self._console = console or Console(highlight=False)
        self._live = Live(self, console=self._console, refresh_per_second=REFRESHES)
        self._began = time.time() if began is None else began

    def write(self, event: Event) -> None:
        try:
            self._write(event)
        except (OSError, ValueError):  # the terminal is closed, or cannot print a character
            self.close()

    def close(self) -> None:
        """Leaves the last state of the display on the terminal."""
        with suppress(OSError, ValueError):
            self._live.stop()

    def show(self) -> None:
        """The display as it is now, where there is no terminal to keep it on."""
        with suppress(OSError, ValueError):
            self._console.print(self)

    def __rich__(self) -> RenderableType:
        """The display. Another thread calls it to refresh: `list` copies what `write` may be changing meanwhile."""
        trials = list(self._trials.values())
        running = [trial for trial in trials if trial.state == "RUNNING"]
        return Group(self._bar(trials), self._counts(), self._best_line(trials), *self._running_lines(running))

    def _write(self, event: Event) -> None:
        match event:
            case SweepStarted():
                self._start(event)
            case TrialStarted():
                self._put(_Shown(event.trial, event.params, event.time))
            case EpochReported() | TrialEnded() if event.trial not in self._trials:
                pass  # its start was deleted from a damaged journal, as for `record.replay`
            case EpochReported():
                trial = self._trials[event.trial]
                self._put(replace(trial, epoch=event.epoch, value=event.value))
            case TrialEnded():
                self._end(event)

    def _start(self, event: SweepStarted) -> None:
        work = text.count(self._n_trials, "trial") + (f" on {text.count(self._slots, 'slot')}" if self._slots else "")
        wanted = (" ".join(pair) for pair in zip(self._directions, self._metrics, strict=True))
        limit = self._limits.left if self._limits else None
        until = "" if limit is None else f", for {text.clock(limit)} at most"
        self._print(f"Sweep {event.sweep}: {work}, {', '.join(wanted)}{until}")
        if self._console.is_terminal:
            self._live.start()

    def _end(self, event: TrialEnded) -> None:
        trial = replace(
            self._trials[event.trial],
            state=event.state,
            value=event.values[0] if event.values else None,
            point=_point(event, self._directions),
            seconds=event.time - self._trials[event.trial].started,
        )
        self._put(trial)
        self._crashes += event.state == "CRASHED"
        if not self._console.is_terminal or event.state in (*FAILURES, "CRASHED"):
            self._print(self._ended_line(trial, event), colour(event.state))

    def _put(self, trial: _Shown) -> None:
        """In the place of what was known of it."""
        before = self._trials.get(trial.number)
        if before:
            self._states[before.state] -= 1
        self._states[trial.state] += 1
        self._trials[trial.number] = trial
        if trial.point and not trial.point.shortfall:
            others = [one for one in self._front if one.number != trial.number]
            known = sorted([*others, trial], key=lambda one: one.number)
            ranks = pareto.ranks([one.point for one in known])
            self._front = [one for rank, one in zip(ranks, known, strict=True) if rank == 1]

    @property
    def _ended(self) -> int:
        """Of the whole study."""
        return len(self._trials) - sum(self._states[state] for state in (*OPEN, "TAKEN_OVER")) + self._elsewhere()

    def _print(self, line: str, style: str = "") -> None:
        width = self._console.width if self._console.is_terminal else None
        self._console.print(Text(text.wrapped(text.printable(line), width), style), soft_wrap=True)

    def _ended_line(self, trial: _Shown, event: TrialEnded) -> str:
        """`[ 7/20] trial 6 finished  val_accuracy 0.9832  lr=0.0021 dropout=0.31  9.8 s   best 0.9916 (trial 3)`."""
        values = zip(self._metrics, event.values or (), strict=False)
        parts = [
            f"[{self._ended:{len(str(self._n_trials))}}/{self._n_trials}] trial {trial.number} {label(trial.state)}",
            " ".join(f"{metric} {text.value(value)}" for metric, value in values),
            text.params(trial.params),
            text.duration(trial.seconds),
            self._reason(event),
            self._best_so_far(),
        ]
        return "  ".join(filter(None, parts))

    def _reason(self, event: TrialEnded) -> str:
        """The first line of it, or the trial whose it was already."""
        line = text.first_line(event.reason)
        first = self._reasons.setdefault(text.without_numbers(line), event.trial)
        return line if first == event.trial or event.state not in FAILURES else f"as trial {first}"

    def _bar(self, trials: list[_Shown]) -> Table:
        ended = self._ended
        grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
        grid.add_column(no_wrap=True)
        grid.add_column(ratio=1)
        grid.add_column(no_wrap=True)
        grid.add_row(
            f"{ended}/{text.count(self._n_trials, 'trial')}",
            ProgressBar(self._n_trials, ended),
            text.clock(time.time() - self._began) + self._left(trials),
        )
        return grid

    def _left(self, trials: list[_Shown]) -> str:
        """`, about 0:26 left`, or what a timeout or deadline leaves room for."""
        left, limit = self._seconds_left(trials), self._limits.left if self._limits else None
        if limit is None or left <= limit:
            return f", about {text.clock(left)} left" if left else ""
        room = round((self._n_trials - self._ended) * limit / left)
        return f", stops in {text.clock(limit)}, time for about {text.count(room, 'trial')}"

    def _counts(self) -> Text:
        states = Counter(self._states) | Counter(CRASHED=self._crashes)  # a copy: `write` may be changing it
        counts = [(f"{states[state]} {label(state)}", colour(state)) for state in _COUNTED if states[state]]
        if not counts:
            return _line("the slots are starting")
        line = Text(", ").join(Text(*count) for count in counts)
        line.no_wrap, line.overflow = True, "ellipsis"
        return line

    def _best_line(self, trials: list[_Shown]) -> Text:
        front = self._front
        if not front:
            met = "meets the constraints" if any(trial.point for trial in trials) else "finished"
            return _line(f"best {', '.join(self._metrics)}: none {met} yet")
        best = front[0]
        if len(self._metrics) == 1:
            found = f"best {self._metrics[0]} {text.value(best.value)}  trial {best.number}  {text.params(best.params)}"
        else:
            numbers = ", ".join(str(trial.number) for trial in front)
            found = f"Pareto front: {text.count(len(front), 'trial')} ({numbers})"
        return _line(found, style="bold green")

    def _best_so_far(self) -> str:
        front = self._front
        if not front:
            return ""
        if len(self._metrics) == 1:
            return f" best {text.value(front[0].value)} (trial {front[0].number})"
        return f" Pareto front of {len(front)}"

    def _running_lines(self, running: list[_Shown]) -> list[Text]:
        """As many as a terminal has room for: to lay out thousands, to show forty, takes half a processor."""
        room = self._console.height - _ABOVE if self._console.is_terminal else len(running)
        if len(running) <= room:
            return [self._running_line(trial) for trial in running]
        shown = running[: max(0, room - 1)]
        return [*map(self._running_line, shown), _line(f"  and {len(running) - len(shown):,} more")]

    def _running_line(self, trial: _Shown) -> Text:
        value = "" if trial.value is None else text.value(trial.value)
        return _line(f"  trial {trial.number:<4} epoch {trial.epoch:<3} {value:7} {text.params(trial.params)}")

    def _seconds_left(self, trials: list[_Shown]) -> float:
        """What is to come, at the mean of the trials that ended and shared by the slots; 0 while none has ended."""
        durations = [trial.seconds for trial in trials if trial.state in ("FINISHED", "PRUNED")]
        if not durations:
            return 0.0
        mean = sum(durations) / len(durations)
        running = [trial for trial in trials if trial.state == "RUNNING"]
        under_way = sum(max(0.0, mean - (time.time() - trial.started)) for trial in running)
        waiting = max(0, self._n_trials - self._ended - len(running))
        return (mean * waiting + under_way) / max(self._slots or 1, len(running))  # a card may hold more


def _shown(trial: Trial, directions: tuple[str, ...]) -> _Shown:
    value = trial.values[0] if trial.values else None
    point = _point(trial, directions)
    return _Shown(trial.number, trial.params, trial.started, trial.seconds, trial.state, 0, value, point)


def _point(ended: Trial | TrialEnded, directions: tuple[str, ...]) -> pareto.Point | None:
    if ended.state != "FINISHED" or DUPLICATE_OF in ended.facts:
        return None
    return pareto.Point(losses(ended.values, directions), sum(ended.missed.values()))


def _line(content: str, style: str = "") -> Text:
    return Text(text.printable(content), style, no_wrap=True, overflow="ellipsis")

"""A sweep as it happens: a live display on a terminal, a line a trial anywhere else."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, get_args

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sweeper import text
from sweeper.events import EpochReported, Event, SweepStarted, TrialEnded, TrialStarted
from sweeper.limits import Limits
from sweeper.record import Trial, losses
from sweeper.states import FAILURES, OPEN, State, colour, label

REFRESHES = 4  # a second
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
    value: float | None = None


class Progress:
    """Listens to the events of a sweep. `write` never raises: a terminal that went away must not stop the training."""

    def __init__(
        self,
        n_trials: int,
        metric: str,
        direction: str,
        slots: int,
        *,
        before: Iterable[Trial] = (),
        limits: Limits | None = None,
        console: Console | None = None,
    ):
        """before: the trials of the sessions before, when a sweep is resumed."""
        self._n_trials, self._metric, self._direction, self._slots = n_trials, metric, direction, slots
        self._trials = {trial.number: _shown(trial) for trial in before}
        self._crashes, self._limits = 0, limits
        self._console = console or Console(highlight=False)
        self._live = Live(self, console=self._console, refresh_per_second=REFRESHES)
        self._began = time.time()

    def write(self, event: Event) -> None:
        try:
            self._write(event)
        except (OSError, ValueError):  # the terminal is closed, or cannot print a character
            self.close()

    def close(self) -> None:
        """Leaves the last state of the display on the terminal."""
        with suppress(OSError, ValueError):
            self._live.stop()

    def __rich__(self) -> RenderableType:
        """The display. Another thread calls it to refresh: `list` copies what `write` may be changing meanwhile."""
        trials = list(self._trials.values())
        running = [trial for trial in trials if trial.state == "RUNNING"]
        return Group(
            self._bar(trials), self._counts(trials), self._best_line(trials), *map(self._running_line, running)
        )

    def _write(self, event: Event) -> None:
        match event:
            case SweepStarted():
                self._start(event)
            case TrialStarted():
                self._trials[event.trial] = _Shown(event.trial, event.params, event.time)
            case EpochReported():
                trial = self._trials[event.trial]
                self._trials[event.trial] = replace(trial, epoch=event.epoch, value=event.value)
            case TrialEnded():
                self._end(event)

    def _start(self, event: SweepStarted) -> None:
        work = f"{_count(self._n_trials, 'trial')} on {_count(self._slots, 'slot')}"
        limit = self._limits.left if self._limits else None
        until = "" if limit is None else f", for {text.clock(limit)} at most"
        self._print(f"Sweep {event.sweep}: {work}, {self._direction} {self._metric}{until}")
        if self._console.is_terminal:
            self._live.start()

    def _end(self, event: TrialEnded) -> None:
        trial = self._trials[event.trial]
        self._trials[event.trial] = trial = replace(
            trial,
            state=event.state,
            value=event.values[0] if event.values else None,
            seconds=event.time - trial.started,
        )
        self._crashes += event.state == "CRASHED"
        if not self._console.is_terminal or event.state in (*FAILURES, "CRASHED"):
            self._print(self._ended_line(trial, event.reason), colour(event.state))

    def _print(self, line: str, style: str = "") -> None:
        self._console.print(Text(line, style), soft_wrap=True)

    def _ended_line(self, trial: _Shown, reason: str | None) -> str:
        """`[ 7/20] trial 6 finished  val_accuracy 0.9832  lr=0.0021 dropout=0.31  9.8 s   best 0.9916 (trial 3)`."""
        trials = list(self._trials.values())
        best = self._best(trials)
        parts = [
            f"[{_ended(trials):{len(str(self._n_trials))}}/{self._n_trials}] trial {trial.number} {label(trial.state)}",
            "" if trial.value is None else f"{self._metric} {text.value(trial.value)}",
            text.params(trial.params),
            text.duration(trial.seconds),
            text.first_line(reason) if trial.state != "FINISHED" else "",
            f" best {text.value(best.value)} (trial {best.number})" if best else "",
        ]
        return "  ".join(filter(None, parts))

    def _bar(self, trials: list[_Shown]) -> Table:
        ended = _ended(trials)
        grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
        grid.add_column(no_wrap=True)
        grid.add_column(ratio=1)
        grid.add_column(no_wrap=True)
        grid.add_row(
            f"{ended}/{self._n_trials} trials",
            ProgressBar(self._n_trials, ended),
            text.clock(time.time() - self._began) + self._left(trials),
        )
        return grid

    def _left(self, trials: list[_Shown]) -> str:
        """`, about 0:26 left`, or what a timeout or deadline leaves room for."""
        left, limit = self._seconds_left(trials), self._limits.left if self._limits else None
        if limit is None or left <= limit:
            return f", about {text.clock(left)} left" if left else ""
        room = round((self._n_trials - _ended(trials)) * limit / left)
        return f", stops in {text.clock(limit)} after about {_count(room, 'trial')} more"

    def _counts(self, trials: list[_Shown]) -> Text:
        states = Counter(trial.state for trial in trials) | Counter(CRASHED=self._crashes)
        counts = [(f"{states[state]} {label(state)}", colour(state)) for state in _COUNTED if states[state]]
        if not counts:
            return _line("the slots are starting")
        line = Text(", ").join(Text(*count) for count in counts)
        line.no_wrap, line.overflow = True, "ellipsis"
        return line

    def _best_line(self, trials: list[_Shown]) -> Text:
        best = self._best(trials)
        if best is None:
            return _line(f"best {self._metric}: none finished yet")
        found = f"best {self._metric} {text.value(best.value)}  trial {best.number}  {text.params(best.params)}"
        return _line(found, style="bold green")

    def _running_line(self, trial: _Shown) -> Text:
        value = "" if trial.value is None else text.value(trial.value)
        return _line(f"  trial {trial.number:<4} epoch {trial.epoch:<3} {value:7} {text.params(trial.params)}")

    def _best(self, trials: list[_Shown]) -> _Shown | None:
        finished = [trial for trial in trials if trial.state == "FINISHED"]
        return min(finished, key=lambda trial: losses((trial.value,), (self._direction,)), default=None)

    def _seconds_left(self, trials: list[_Shown]) -> float:
        """What is to come, at the mean of the trials that ended and shared by the slots; 0 while none has ended."""
        durations = [trial.seconds for trial in trials if trial.state in ("FINISHED", "PRUNED")]
        if not durations:
            return 0.0
        mean = sum(durations) / len(durations)
        running = [trial for trial in trials if trial.state == "RUNNING"]
        under_way = sum(max(0.0, mean - (time.time() - trial.started)) for trial in running)
        waiting = max(0, self._n_trials - _ended(trials) - len(running))
        return (mean * waiting + under_way) / self._slots


def _shown(trial: Trial) -> _Shown:
    value = trial.values[0] if trial.values else None
    return _Shown(trial.number, trial.params, trial.started, trial.seconds, trial.state, 0, value)


def _ended(trials: list[_Shown]) -> int:
    return sum(trial.state not in OPEN for trial in trials)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _line(content: str, style: str = "") -> Text:
    return Text(content, style, no_wrap=True, overflow="ellipsis")

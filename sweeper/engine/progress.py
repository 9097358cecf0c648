"""A sweep as it happens: a live display on a terminal, a line a trial anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import get_args

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sweeper import text
from sweeper.engine.limits import Limits
from sweeper.engine.tally import Known, Tally
from sweeper.records.events import Event, SweepStarted, TrialEnded
from sweeper.records.record import Trial
from sweeper.records.states import FAILURES, State, colour, label
from sweeper.training import objectives

REFRESHES = 4  # a second
_ABOVE = 4  # lines of the display that are no trial: bar, counts, best, and the one with the cursor
_COUNTED = ("RUNNING", *(state for state in get_args(State) if state != "CRASHED"), "CRASHED")


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
        self._directions, self._slots, self._limits = directions, slots, limits
        self._metrics = objectives.split(metric, len(directions))
        self._tally = Tally(n_trials, directions, slots, before, elsewhere)
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
        """The display. Another thread calls it to refresh."""
        return Group(self._bar(), self._counts(), self._best_line(), *self._running_lines())

    def _write(self, event: Event) -> None:
        trial = self._tally.hear(event)
        if isinstance(event, SweepStarted):
            self._start(event)
        elif isinstance(event, TrialEnded) and trial:
            self._end(trial, event)

    def _start(self, event: SweepStarted) -> None:
        slots = f" on {text.count(self._slots, 'slot')}" if self._slots else ""
        work = text.count(self._tally.n_trials, "trial") + slots
        wanted = (" ".join(pair) for pair in zip(self._directions, self._metrics, strict=True))
        limit = self._limits.left if self._limits else None
        until = "" if limit is None else f", for {text.clock(limit)} at most"
        self._print(f"Sweep {event.sweep}: {work}, {', '.join(wanted)}{until}")
        if self._console.is_terminal:
            self._live.start()

    def _end(self, trial: Known, event: TrialEnded) -> None:
        if not self._console.is_terminal or event.state in (*FAILURES, "CRASHED"):
            self._print(self._ended_line(trial, event), colour(event.state))

    def _print(self, line: str, style: str = "") -> None:
        width = self._console.width if self._console.is_terminal else None
        self._console.print(Text(text.wrapped(text.printable(line), width), style), soft_wrap=True)

    def _ended_line(self, trial: Known, event: TrialEnded) -> str:
        """`[ 7/20] trial 6 finished  val_accuracy 0.9832  lr=0.0021 dropout=0.31  9.8 s   best 0.9916 (trial 3)`."""
        values = zip(self._metrics, event.values or (), strict=False)
        ended, n_trials = self._tally.ended, self._tally.n_trials
        parts = [
            f"[{ended:{len(str(n_trials))}}/{n_trials}] trial {trial.number} {label(trial.state)}",
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

    def _bar(self) -> Table:
        ended, n_trials = self._tally.ended, self._tally.n_trials
        grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
        grid.add_column(no_wrap=True)
        grid.add_column(ratio=1)
        grid.add_column(no_wrap=True)
        grid.add_row(
            f"{ended}/{text.count(n_trials, 'trial')}",
            ProgressBar(n_trials, ended),
            text.clock(time.time() - self._began) + self._left(),
        )
        return grid

    def _left(self) -> str:
        """`, about 0:26 left`, or what a timeout or deadline leaves room for."""
        left, limit = self._tally.seconds_left(), self._limits.left if self._limits else None
        if limit is None or left <= limit:
            return f", about {text.clock(left)} left" if left else ""
        room = round((self._tally.n_trials - self._tally.ended) * limit / left)
        return f", stops in {text.clock(limit)}, time for about {text.count(room, 'trial')}"

    def _counts(self) -> Text:
        states = self._tally.states
        counts = [(f"{states[state]} {label(state)}", colour(state)) for state in _COUNTED if states[state]]
        if not counts:
            return _line("the slots are starting")
        line = Text(", ").join(Text(*count) for count in counts)
        line.no_wrap, line.overflow = True, "ellipsis"
        return line

    def _best_line(self) -> Text:
        front = self._tally.front
        if not front:
            met = "meets the constraints" if self._tally.any_finished else "finished"
            return _line(f"best {', '.join(self._metrics)}: none {met} yet")
        best = front[0]
        if len(self._metrics) == 1:
            found = f"best {self._metrics[0]} {text.value(best.value)}  trial {best.number}  {text.params(best.params)}"
        else:
            numbers = ", ".join(str(trial.number) for trial in front)
            found = f"Pareto front: {text.count(len(front), 'trial')} ({numbers})"
        return _line(found, style="bold green")

    def _best_so_far(self) -> str:
        front = self._tally.front
        if not front:
            return ""
        if len(self._metrics) == 1:
            return f" best {text.value(front[0].value)} (trial {front[0].number})"
        return f" Pareto front of {len(front)}"

    def _running_lines(self) -> list[Text]:
        """As many as a terminal has room for: to lay out thousands, to show forty, takes half a processor."""
        running = self._tally.running
        room = self._console.height - _ABOVE if self._console.is_terminal else len(running)
        if len(running) <= room:
            return [self._running_line(trial) for trial in running]
        shown = running[: max(0, room - 1)]
        return [*map(self._running_line, shown), _line(f"  and {len(running) - len(shown):,} more")]

    def _running_line(self, trial: Known) -> Text:
        value = "" if trial.value is None else text.value(trial.value)
        return _line(f"  trial {trial.number:<4} epoch {trial.epoch:<3} {value:7} {text.params(trial.params)}")


def _line(content: str, style: str = "") -> Text:
    return Text(text.printable(content), style, no_wrap=True, overflow="ellipsis")

"""Where the events of a sweep go: to the journal first, then to those who listen; and what its end leaves behind."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from sweeper.engine.keeper import Keeper
from sweeper.engine.limits import Limits
from sweeper.engine.progress import Progress
from sweeper.ranking import results
from sweeper.records import record
from sweeper.records.events import Event, SweepEnded, SweepStarted, TrialEnded, TrialTested
from sweeper.records.journal import NAME, Journal
from sweeper.sail.descriptor import Descriptor
from sweeper.tracking import model_log
from sweeper.tracking.mirror import Mirror
from sweeper.tracking.store import Tracking, describe
from sweeper.training import evaluation

_PATIENCE, _IMPATIENCE = 60.0, 10.0  # seconds that a finished, a broken-off sweep waits for MLflow


class Recorder:
    """Writes events to the journal and tells them to MLflow, the terminal, and the keeper of the best models."""

    def __init__(
        self,
        journal: Journal,
        folder: Path,
        started: SweepStarted,
        *,
        slots: int | None,
        keep: int,
        tracking: Tracking,
        earlier: record.Sweep | None = None,
        limits: Limits | None = None,
        console: Console | None = None,
        axes: Sequence[Descriptor] = (),
        elsewhere: Callable[[], int] = lambda: 0,
    ):
        """keep: the models of so many best trials stay. earlier: what is resumed. console: for what happens meanwhile;
        None is stdout. axes: of the map that the sweep fills, if it fills one. elsewhere: as of `Progress`."""
        self._journal, self._folder, self._uri, self._limits = journal, folder, tracking.uri, limits
        self.interrupted = False  # by the user, while it ended
        before = earlier.trials if earlier else ()
        keeper = Keeper(folder, started.directions, keep, before, axes)
        self._mirror = Mirror(folder, **asdict(tracking), backlog=journal.size)
        self._console = console or Console(highlight=False)
        self._progress = Progress(
            started.n_trials,
            started.metric,
            started.directions,
            slots,
            before=before,
            limits=limits,
            console=self._console,
            elsewhere=elsewhere,
        )
        self._listeners = (keeper, self._mirror, self._progress)
        self.emit(started)
        for trial in before:
            if trial.state == "RUNNING":
                lost = "the process of the sweep was lost"
                self.emit(TrialEnded(trial.number, "INTERRUPTED", None, lost, time=time.time()))

    def emit(self, event: Event) -> None:
        self._journal.write(event)
        for listener in self._listeners:
            listener.write(event)

    def end(
        self,
        state: str,
        reason: str | None = None,
        in_slot: Callable[..., None] | None = None,
        *,
        test: bool = True,
    ) -> None:
        """Tests the best network, writes the results, waits for MLflow to have them and prints the leaderboard.

        in_slot: runs a function where TensorFlow is loaded; without it nothing is tested, and no network is logged.
        test: False where a confirmation follows, which is to be the first to meet the test images.
        """
        self._progress.close()
        troubles = []
        try:
            sweep = self._written()  # whatever ends the process while it tests
            if test and in_slot and _has_network(sweep.best) and not sweep.best.tested:
                with self._console.status("Testing the best network"):
                    troubles.append(self._test(sweep.best, in_slot))
                sweep = self._written()
        except KeyboardInterrupt:
            in_slot, self.interrupted = None, True
            troubles.append("Interrupted: the best network was neither tested nor logged to MLflow.")
            sweep = self._written()
        best = sweep.best
        late = self.leave(state, reason, best and best.number)
        troubles.append(late)
        if in_slot and _has_network(best) and not late:
            try:
                with self._console.status("Waiting for MLflow"):
                    troubles.append(self._log(best, in_slot))
            except KeyboardInterrupt:
                self.interrupted = True
                troubles.append("Interrupted: the best network was not logged to MLflow.")
        if best or len(sweep.trials) > 1:
            results.summary(record.read(self._folder, curves=False), Console())
        for trouble in filter(None, troubles):
            print(f"\n{trouble}", file=sys.stderr)

    def leave(self, state: str, reason: str | None, best: int | None = None) -> str | None:
        """The last event. Waits for MLflow to have all; what it lacks then, for the user."""
        self.emit(SweepEnded(state, reason, best, time.time()))
        try:
            with self._console.status("Waiting for MLflow"):
                patience = _PATIENCE if state == "FINISHED" else _IMPATIENCE
                return self._mirror.close(self._limits.wait(patience) if self._limits else patience)
        except KeyboardInterrupt:
            self.interrupted = True
            return f"Interrupted while MLflow was waited for. {self._folder / NAME} has all trials."

    def close(self) -> None:
        self._progress.close()

    def _written(self) -> record.Sweep:
        """The sweep so far, its results in its folder."""
        sweep = record.read(self._folder, curves=False)
        results.write(sweep)
        return sweep

    def _test(self, best: record.Trial, in_slot: Callable[..., None]) -> str | None:
        """What went wrong, for the user; never reason enough to lose a sweep."""
        try:
            in_slot(evaluation.test, self._folder, best.number)
            tested = evaluation.read(best.folder)
        except Exception as error:
            return f"The best network, in {best.folder}, was not tested: {describe(error)}"
        self.emit(TrialTested(best.number, tested.metrics, tested.images, time.time()))
        return None

    def _log(self, best: record.Trial, in_slot: Callable[..., None]) -> str | None:
        """As `_test`."""
        try:
            in_slot(model_log.log_best, record.run_ids(self._folder)[best.number], self._uri, best.folder)
        except Exception as error:
            return f"The best model was not logged to MLflow, but lies in {best.folder}: {describe(error)}"
        return None


def _has_network(trial: record.Trial | None) -> bool:
    return trial is not None and trial.model.exists()

"""Optuna's journal of a study in a folder that this process holds alone.

Optuna's own file is for many processes: each of the eight things that it notes of a trial takes a lock file, a new look
at the file and a wait for the disk. Here what belongs together is written together. The lines are the same, but for one
that tells other processes what a trial will draw.

Samplers and pruners ask for the trials in some states, a pruner at every epoch. Here those are known by their states.
"""

from __future__ import annotations

import copy
import json
from bisect import bisect_left, insort
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.trial import FrozenTrial, TrialState

from sweeper.records import jsonl

_TO_OTHERS = "tpe:relative_params:"  # system attributes: what a trial that is being drawn will draw next


class StudyJournal(JournalStorage):
    def __init__(self, path: Path):
        """A last line torn by a crash is cut."""
        self._lines = _Lines(path)
        self._trials: dict[int, _Trials] = {}  # by study, once they were asked for
        self._study_of: dict[int, int] = {}  # by trial, of those
        super().__init__(self._lines)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        trial_id = super().create_new_trial(study_id, template_trial)
        if study_id in self._trials:
            self._study_of[trial_id] = study_id
            self._trials[study_id].renew(self.get_trial(trial_id))
        return trial_id

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """What other processes read while a trial is drawn is left out: TPE parses it of all that run, each time."""
        if not key.startswith(_TO_OTHERS):
            super().set_trial_system_attr(trial_id, key, value)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        if study_id not in self._trials:
            trials = super().get_all_trials(study_id, deepcopy=False)
            self._trials[study_id] = _Trials(trials)
            self._study_of |= {trial._trial_id: study_id for trial in trials}
        for trial_id in self._lines.changed & self._study_of.keys():
            self._trials[self._study_of[trial_id]].renew(self.get_trial(trial_id))
        self._lines.changed.clear()
        found = self._trials[study_id].of(states)
        return copy.deepcopy(found) if deepcopy else found

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is noted within is on the disk afterwards. What is noted elsewhere survives this process, at least."""
        self._lines.held = True
        try:
            yield
        finally:
            self._lines.held = False
            self._lines.write(sync=True)


class _Trials:
    """Of a study: those in some states without a look at all others."""

    def __init__(self, trials: Iterable[FrozenTrial]):
        """trials: by number."""
        self._all: list[FrozenTrial] = []
        self._numbers: dict[TrialState, list[int]] = {state: [] for state in TrialState}  # sorted
        for trial in trials:
            self.renew(trial)

    def renew(self, trial: FrozenTrial) -> None:
        """A new one, or one that has changed."""
        if trial.number == len(self._all):
            self._all.append(trial)
            insort(self._numbers[trial.state], trial.number)
            return
        before = self._all[trial.number].state
        self._all[trial.number] = trial
        if trial.state != before:
            numbers = self._numbers[before]
            del numbers[bisect_left(numbers, trial.number)]
            insort(self._numbers[trial.state], trial.number)

    def of(self, states: Container[TrialState] | None) -> list[FrozenTrial]:
        """By number."""
        if states is None:
            return self._all[:]
        numbers = sorted(chain.from_iterable(self._numbers[state] for state in TrialState if state in states))
        return [self._all[number] for number in numbers]


class _Lines(BaseJournalBackend):
    def __init__(self, path: Path):
        self._file = open(path, "a+b", buffering=0)  # noqa: SIM115
        self._size = jsonl.cut_torn_line(self._file)  # bytes
        self._file.seek(0)
        lines = enumerate(self._file.read().splitlines(), 1)
        self._logs = [jsonl.parse(path, number, line) for number, line in lines]  # that Optuna has not read yet
        self._first = 0  # number of the first of them
        self._unwritten: list[bytes] = []
        self.held = False
        self.changed: set[int] = set()  # trials that lines were added of

    def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
        del self._logs[: log_number_from - self._first]
        self._first = log_number_from
        return self._logs[:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        lines = [json.dumps(log, separators=(",", ":")) for log in logs]
        self._logs += map(json.loads, lines)
        self.changed.update(log["trial_id"] for log in logs if "trial_id" in log)
        self._unwritten += (line.encode() + b"\n" for line in lines)
        if not self.held:
            self.write(sync=False)

    def write(self, *, sync: bool) -> None:
        """Raises: OSError if the disk is full."""
        lines = b"".join(self._unwritten)
        self._unwritten.clear()
        jsonl.append(self._file, lines, self._size, sync=sync)
        self._size += len(lines)

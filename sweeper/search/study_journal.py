"""Optuna's journal of a study in a folder that this process holds alone.

Optuna's own file is for many processes: each of the eight things that it notes of a trial takes a lock file, a new look
at the file and a wait for the disk. Here what belongs together is written together. The lines are the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend

from sweeper.records import jsonl


class StudyJournal(JournalStorage):
    def __init__(self, path: Path):
        """A last line torn by a crash is cut."""
        self._lines = _Lines(path)
        super().__init__(self._lines)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is noted within is on the disk afterwards. What is noted elsewhere survives this process, at least."""
        self._lines.held = True
        try:
            yield
        finally:
            self._lines.held = False
            self._lines.write(sync=True)


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

    def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
        del self._logs[: log_number_from - self._first]
        self._first = log_number_from
        return self._logs[:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        lines = [json.dumps(log, separators=(",", ":")) for log in logs]
        self._logs += map(json.loads, lines)
        self._unwritten += (line.encode() + b"\n" for line in lines)
        if not self.held:
            self.write(sync=False)

    def write(self, *, sync: bool) -> None:
        """Raises: OSError if the disk is full."""
        lines = b"".join(self._unwritten)
        self._unwritten.clear()
        jsonl.append(self._file, lines, self._size, sync=sync)
        self._size += len(lines)

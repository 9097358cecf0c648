"""Where Optuna keeps a study: a journal in the sweep's folder unless the user names another place."""

from __future__ import annotations

from pathlib import Path

from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from sweeper.config import node
from sweeper.errors import ConfigError
from sweeper.records import jsonl
from sweeper.search.settings import Settings
from sweeper.search.study_journal import StudyJournal
from sweeper.secret import HIDDEN

JOURNAL = "study.journal"


def build(settings: Settings, folder: Path) -> BaseStorage | str:
    """From `hydra.sweeper.storage`: null, a database's URL, `journal://PATH`, or a node with `_target_`."""
    storage = settings.storage
    if storage is None:
        own = folder / JOURNAL
        return StudyJournal(own)
    if isinstance(storage, str) and storage.startswith("journal://"):
        return _journal(Path(storage.removeprefix("journal://")))
    if isinstance(storage, str):
        if HIDDEN in storage:
            raise ConfigError(f"hydra.sweeper.storage={storage}: put user and password in the place of {HIDDEN}.")
        return storage
    return node.made(storage, "hydra.sweeper.storage", settings.allow)


def _journal(path: Path) -> JournalStorage:
    """Without the torn last line that a killed process may have left: Optuna cannot read on behind one."""
    backend = JournalFileBackend(str(path))
    lock = JournalFileSymlinkLock(str(path))
    lock.acquire()  # another process may be writing; of one that was killed the lock is taken over after 30 seconds
    try:
        with open(path, "r+b") as file:
            jsonl.cut_torn_line(file)
    finally:
        lock.release()
    return JournalStorage(backend)

"""Where Optuna keeps a study: a journal in the sweep's folder unless the user names another place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from sweeper.config import node
from sweeper.errors import ConfigError
from sweeper.records import jsonl
from sweeper.search.settings import Settings
from sweeper.search.study_journal import StudyJournal
from sweeper.secret import HIDDEN

JOURNAL = "study.journal"
_IN_MEMORY = ("sqlite://", "sqlite:///:memory:")  # of this process alone


def is_database(storage: Any) -> bool:
    """Whether several coordinators can share a study in it: by its address, or a node of Optuna's for such.

    Raises: ConfigError for the address of a recorded command, whose password is left out.
    """
    if isinstance(storage, str):
        if HIDDEN in storage:
            raise ConfigError(f"hydra.sweeper.storage={storage}: put user and password in the place of {HIDDEN}.")
        return not storage.startswith("journal://") and storage not in _IN_MEMORY
    if isinstance(storage, DictConfig):
        return storage.get("_target_") == "optuna.storages.RDBStorage"
    return isinstance(storage, RDBStorage)


def build(settings: Settings, folder: Path) -> BaseStorage | str:
    """From `hydra.sweeper.storage`: null, `journal://PATH`, or a node with `_target_`. A database: see `sharing`."""
    storage = settings.storage
    if storage is None:
        own = folder / JOURNAL
        return StudyJournal(own)
    if isinstance(storage, str) and storage.startswith("journal://"):
        return _journal(Path(storage.removeprefix("journal://")))
    if isinstance(storage, str):
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

"""Optuna's study in a file that one process writes: as Optuna writes it, and whole whatever happens."""

import json
import os
import resource
import subprocess
import sys

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from sweeper.search.study_journal import StudyJournal

KILLED = """
import os, signal, sys
import optuna
from sweeper.search.study_journal import StudyJournal
study = optuna.create_study(storage=StudyJournal(sys.argv[1]), study_name="s")
trial = study.ask()
trial.suggest_float("x", 0, 1)
trial.report(0.5, 1)
os.kill(os.getpid(), signal.SIGKILL)
"""


def search(storage):
    study = optuna.create_study(
        storage=storage, study_name="s", load_if_exists=True, sampler=optuna.samplers.TPESampler(seed=1)
    )
    for _ in range(15):
        trial = study.ask()
        trial.set_user_attr("why", "é")
        value = trial.suggest_float("x", -1, 1) ** 2 + trial.suggest_int("n", 1, 5)
        value += trial.suggest_categorical("kind", ("a", None, 1, True)) is None
        trial.report(value, 1)
        study.tell(trial, value) if trial.number % 4 else study.tell(trial, state=TrialState.FAIL)
    study.ask({"x": optuna.distributions.FloatDistribution(0, float(trial.number))})
    return study


def plain(study):
    keys = ("number", "state", "values", "params", "distributions", "user_attrs", "system_attrs", "intermediate_values")
    return [{key: getattr(trial, key) for key in keys} for trial in study.trials]


def loaded(path):
    return optuna.load_study(storage=JournalStorage(JournalFileBackend(str(path))), study_name="s")


def lines(path):
    """Without what differs each time: the moment, and a process's own number."""
    rows = map(json.loads, path.read_text().splitlines())
    return [{key: value for key, value in row.items() if "time" not in key and key != "worker_id"} for row in rows]


def test_its_lines_are_those_of_optunas_own_file(tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    study = search(StudyJournal(ours))
    assert plain(study) == plain(search(JournalStorage(JournalFileBackend(str(theirs)))))
    assert lines(ours) == lines(theirs)
    assert plain(loaded(ours)) == plain(study)


def test_a_study_goes_on_where_optuna_left_it_and_the_other_way_round(tmp_path):
    search(JournalStorage(JournalFileBackend(str(tmp_path / "s"))))
    search(StudyJournal(tmp_path / "s"))
    study = search(JournalStorage(JournalFileBackend(str(tmp_path / "s"))))
    assert plain(optuna.load_study(storage=StudyJournal(tmp_path / "s"), study_name="s")) == plain(study)
    assert len(study.trials) == 48


def test_what_belongs_together_is_written_together(tmp_path, monkeypatch):
    synced = []
    storage = StudyJournal(tmp_path / "s")
    study = optuna.create_study(storage=storage, study_name="s")
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(len(lines(tmp_path / "s"))))
    with storage.together():
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        assert trial.params
        assert len(lines(tmp_path / "s")) == 1
    assert synced == [3]
    study.tell(trial, 1.0)
    assert loaded(tmp_path / "s").trials[0].value == 1.0


def test_all_that_was_noted_survives_the_process(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "s")], check=False)
    (trial,) = loaded(tmp_path / "s").trials
    assert "x" in trial.params
    assert trial.intermediate_values == {1: 0.5}


def test_a_last_line_torn_by_a_crash_is_cut(tmp_path):
    search(StudyJournal(tmp_path / "s"))
    whole = (tmp_path / "s").read_bytes()
    (tmp_path / "s").write_bytes(whole + b'{"op_code":4,"wor')
    assert len(optuna.load_study(storage=StudyJournal(tmp_path / "s"), study_name="s").trials) == 16
    assert (tmp_path / "s").read_bytes() == whole


def test_a_full_disk_leaves_no_torn_line(tmp_path):
    search(StudyJournal(tmp_path / "s"))
    whole = (tmp_path / "s").read_bytes()
    study = optuna.load_study(storage=StudyJournal(tmp_path / "s"), study_name="s")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 10, before[1]))
    try:
        with pytest.raises(OSError, match=r"large|space"):
            study.ask()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (tmp_path / "s").read_bytes() == whole

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

TO_OTHERS = "tpe:relative_params"

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
    """Without what TPE notes for other processes, which there are none of."""
    keys = ("number", "state", "values", "params", "distributions", "user_attrs", "intermediate_values")
    attributes = [{key: of for key, of in trial.system_attrs.items() if TO_OTHERS not in key} for trial in study.trials]
    trials = [{key: getattr(trial, key) for key in keys} for trial in study.trials]
    return [trial | {"system_attrs": system} for trial, system in zip(trials, attributes, strict=True)]


def loaded(path):
    return optuna.load_study(storage=JournalStorage(JournalFileBackend(str(path))), study_name="s")


def lines(path):
    """Without what differs each time: the moment, and a process's own number."""
    rows = (json.loads(line) for line in path.read_text().splitlines() if TO_OTHERS not in line)
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


def test_trials_are_found_by_their_states_as_optuna_finds_them(tmp_path):
    ours = search(StudyJournal(tmp_path / "ours"))
    search(StudyJournal(tmp_path / "ours"))  # what somebody else adds, ours does not see
    theirs = search(JournalStorage(JournalFileBackend(str(tmp_path / "theirs"))))
    states = (None, *((state,) for state in TrialState), (TrialState.COMPLETE, TrialState.RUNNING), tuple(TrialState))
    for study in (ours, theirs):
        study.enqueue_trial({"x": 0.5})
        study.get_trials(deepcopy=False)
        trial = study.ask({"x": optuna.distributions.FloatDistribution(-1, 1)})
        trial.report(0.25, 1)
        study.tell(3, 0.0, skip_if_finished=True)
        study.enqueue_trial({"x": 0.75})
        study.tell(trial, state=TrialState.PRUNED)
    for wanted in states:
        found, right = (study.get_trials(deepcopy=False, states=wanted) for study in (ours, theirs))
        assert [trial.number for trial in found] == [trial.number for trial in right]
        assert [trial.state for trial in found] == [trial.state for trial in right]
        assert [trial.intermediate_values for trial in found] == [trial.intermediate_values for trial in right]
    copied = ours.get_trials()
    copied[0].set_user_attr("why", "changed")
    assert ours.trials[0].user_attrs == {"why": "é"}


def test_one_file_may_hold_several_studies(tmp_path):
    storage = StudyJournal(tmp_path / "s")
    first, second = (optuna.create_study(storage=storage, study_name=name) for name in "ab")
    for study in (first, second, first):
        study.tell(study.ask({"x": optuna.distributions.FloatDistribution(-1, 1)}), 1.0)
    assert [len(study.get_trials(states=(TrialState.COMPLETE,))) for study in (first, second)] == [2, 1]


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

import subprocess
import sys
import threading

import numpy as np
import pytest

from sweeper import app
from sweeper.errors import ConfigError, DataError
from sweeper.records import journal
from sweeper.records.events import EpochReported, SweepEnded, SweepStarted, TrialEnded, TrialStarted
from sweeper.records.journal import Journal

EVENTS = [
    SweepStarted("s", "python -m sweeper -m 'lr=1,2'", "val_accuracy", ("maximize", "minimize"), 2, "abc", 1.0),
    TrialStarted(0, 0, {"hparams.lr": 1e-3, "model": "custom", "flag": None}, "cmd", "0", 2.0),
    EpochReported(0, 1, 0.5, {"val_accuracy": 0.5}, 3.0),
    TrialEnded(0, "FINISHED", (0.5, 309290.0), None, {"epochs": 1}, 4.0),
    TrialEnded(0, "FAILED", None, "ValueError: größer\nmore", {}, 5.0),
    SweepEnded("FINISHED", None, 0, 6.0),
]


def written(folder, *events):
    file = Journal(folder)
    for event in events:
        file.write(event)
    file.close()
    return folder / journal.NAME


def test_what_is_read_equals_what_was_written(tmp_path):
    written(tmp_path, *EVENTS)
    assert list(journal.read(tmp_path)) == EVENTS


def test_epochs_can_be_left_out(tmp_path):
    written(tmp_path, *EVENTS)
    assert list(journal.read(tmp_path, epochs=False)) == [e for e in EVENTS if not isinstance(e, EpochReported)]


def test_the_epochs_of_some_trials_can_be_left_out(tmp_path):
    others = [EpochReported(trial, 1, 0.5, {}, 0.0) for trial in (1, 10)]
    written(tmp_path, *others, EVENTS[2])
    assert list(journal.read(tmp_path, epochs=lambda trial: trial == 10)) == [others[1]]


def test_what_was_written_after_a_moment_can_be_left_out(tmp_path):
    until = written(tmp_path, *EVENTS[:3]).stat().st_size
    written(tmp_path, *EVENTS[3:])
    assert list(journal.read(tmp_path, until=until)) == EVENTS[:3]
    assert list(journal.read(tmp_path, until=until - 1)) == EVENTS[:2]


def test_a_journal_that_nobody_holds_is_followed_to_its_end(tmp_path):
    written(tmp_path, *EVENTS)
    assert list(journal.follow(tmp_path)) == EVENTS


def test_what_is_added_is_followed_as_long_as_somebody_holds_it(tmp_path):
    file = Journal(tmp_path)
    file.write(EVENTS[0])
    followed = journal.follow(tmp_path)
    assert next(followed) == EVENTS[0]
    file.write(EVENTS[1])
    assert next(followed) == EVENTS[1]
    line = b'{"event":"EpochReported","trial":0,"epoch":1,"value":0.5,"metrics":{"val_accuracy":0.5},"time":3.0}\n'
    with open(tmp_path / journal.NAME, "ab", buffering=0) as torn:
        torn.write(line[:20])
        adding = threading.Timer(0.5, torn.write, [line[20:]])
        adding.start()
        assert next(followed) == EVENTS[2]
        adding.join()
    file.close()
    assert list(followed) == []


def test_numpy_numbers_are_written_as_plain_ones(tmp_path):
    written(tmp_path, EpochReported(0, 1, np.float32(0.5), {"loss": np.float64(2)}, 0.0))
    assert list(journal.read(tmp_path)) == [EpochReported(0, 1, 0.5, {"loss": 2.0}, 0.0)]


def test_a_param_that_is_no_data_is_refused_by_name(tmp_path):
    with pytest.raises(TypeError, match=r"object .*Report numbers and text only"):
        written(tmp_path, TrialEnded(0, "FINISHED", (1.0,), None, {"net": object()}))


def test_an_event_is_on_the_disk_when_write_returns(tmp_path):
    file = Journal(tmp_path)
    file.write(EVENTS[0])
    assert list(journal.read(tmp_path)) == EVENTS[:1]
    file.close()


def test_a_torn_last_line_is_left_out(tmp_path):
    path = written(tmp_path, *EVENTS)
    path.write_bytes(path.read_bytes()[:-10])
    assert list(journal.read(tmp_path)) == EVENTS[:-1]


def test_opening_again_cuts_a_torn_last_line_and_appends(tmp_path):
    path = written(tmp_path, *EVENTS[:3])
    path.write_bytes(path.read_bytes()[:-10])
    written(tmp_path, *EVENTS[3:])
    assert list(journal.read(tmp_path)) == EVENTS[:2] + EVENTS[3:]


@pytest.mark.parametrize("garbage", ["\0\0\0", '{"event":"TrialSta', '"TrialEnded"', "<<<<<<< HEAD"])
def test_a_damaged_line_in_the_middle_is_named_by_file_and_number(tmp_path, garbage):
    path = written(tmp_path, *EVENTS)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], garbage, *lines[2:], ""]))
    with pytest.raises(DataError, match=r"trials\.jsonl, line 3 is damaged"):
        list(journal.read(tmp_path))


def test_kinds_of_events_that_only_a_newer_version_knows_are_left_out(tmp_path):
    path = written(tmp_path, *EVENTS)
    path.write_text('{"event":"TrialMoved","trial":0}\n{"event":"Any"}\n' + path.read_text())
    assert list(journal.read(tmp_path)) == EVENTS


def test_a_field_that_another_version_wrote_is_named(tmp_path):
    (tmp_path / journal.NAME).write_text('{"event":"SweepEnded","state":"FINISHED","colour":1}\n')
    with pytest.raises(DataError, match=r"line 1: .*colour.*Another version"):
        list(journal.read(tmp_path))


def test_a_journal_that_nothing_was_written_to_leaves_no_file(tmp_path):
    journal_file = Journal(tmp_path)
    assert journal_file.empty
    journal_file.close()
    assert list(tmp_path.iterdir()) == []


HOLD = """
import sys
from pathlib import Path
from sweeper.records.journal import Journal
journal = Journal(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the journal of `tmp_path`."""
    arguments = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process


def test_a_second_coordinator_in_the_same_folder_is_refused(tmp_path, holder):
    with pytest.raises(ConfigError, match=r"in use by another sweep"):
        Journal(tmp_path)


def test_a_sweep_that_runs_is_not_replayed(tmp_path, capsys, holder):
    begun = written(tmp_path / "other", EVENTS[0])
    (tmp_path / journal.NAME).write_bytes(begun.read_bytes())
    assert app._command("replay", [str(tmp_path)]) == 2
    assert "the sweep runs, and MLflow gets it meanwhile" in capsys.readouterr().err


def test_the_folder_of_a_killed_coordinator_can_be_used_again(tmp_path, holder):
    assert journal.in_use(tmp_path)
    holder.kill()
    holder.wait()
    assert not journal.in_use(tmp_path)
    Journal(tmp_path).close()

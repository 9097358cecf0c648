"""What jobs and their sweep tell each other through folders."""

import json

import pytest

from sweeper.engine.executor import Died, Done, Raised, Ready, Reported
from sweeper.slurm import heart, letters, session
from sweeper.slurm.heart import Heart, Pulse

from ..watched import until

MESSAGES = (
    Ready(3),
    Reported(3, 2, float("inf"), {"height": 0.5}),
    Done(3, (0.5, 2.0), {"model": "custom", "parameters": 7, "size": None}),
    Raised(3, "E: no", "no", None, "OUT_OF_MEMORY"),
    Died(3, "lost", by_us=True),
)


@pytest.fixture
def begun(tmp_path):
    made = session.new(tmp_path / "slots", b"work")
    made.begin("0-1")
    return made


def test_what_is_being_written_has_not_arrived(tmp_path):
    (tmp_path / ".17").write_text('{"stop": tr')
    assert letters.arrived(tmp_path) == []
    letters.post(tmp_path, "17", {"stop": True})
    assert letters.arrived(tmp_path) == ["17"]


def test_a_letter_is_taken_once(tmp_path):
    letters.post(tmp_path, "17", {"stop": True})
    assert letters.take(tmp_path, "17") == {"stop": True}
    assert letters.take(tmp_path, "17") is None
    assert letters.arrived(tmp_path) == []


def test_each_message_arrives_as_it_was_told_and_in_order(begun):
    for message in MESSAGES:
        begun.tell("0-1", message)
    assert [(key, message) for _, key, message in begun.told()] == [("0-1", message) for message in MESSAGES]
    assert list(begun.told()) == []


@pytest.mark.parametrize("text", ["", "[]", '{"kind": "Gossip"}', '{"kind": "Done", "slot": "x"}', '{"slot": 1}'])
def test_what_is_no_letter_is_left_out_and_told_of(begun, text, caplog):
    (begun.folder / "told" / "1.0-1").write_text(text)
    name = begun.tell("0-1", MESSAGES[0])
    assert list(begun.told()) == [(name, "0-1", MESSAGES[0])]
    assert "1.0-1 is no letter of a job" in caplog.text


def test_an_answer_belongs_to_one_report(begun):
    first, second = (begun.tell("0-1", MESSAGES[1]) for _ in range(2))
    begun.reply("0-1", first, True)
    assert begun.answer("0-1", second) is None
    assert begun.answer("0-1", first) is True
    assert not begun.is_unwanted("0-1")


@pytest.mark.parametrize("end", [session.Session.give_up, session.Session.over])
def test_a_job_learns_that_it_is_not_wanted_any_more(begun, end):
    end(begun, "0-1")
    assert begun.is_unwanted("0-1")


def test_what_all_trials_share_is_for_nobody_else_to_read(begun):
    assert begun.work.stat().st_mode & 0o077 == 0
    assert begun.folder.stat().st_mode & 0o077 == 0


def test_a_heart_beats_until_it_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(heart, "LOOK", 0.01)
    beating = Heart(tmp_path / "heart")
    pulse = Pulse(tmp_path / "heart")
    for _ in range(20):  # more looks than may find it silent
        last = (tmp_path / "heart").read_text()
        until(lambda last=last: (tmp_path / "heart").read_text() not in ("", last))
        assert pulse.beats()
    beating.stop()
    assert not pulse.beats()


def test_a_sweep_that_was_killed_is_noticed_though_its_heart_lies_there(tmp_path):
    (tmp_path / "heart").write_text("7")
    pulse = Pulse(tmp_path / "heart")
    felt = [pulse.beats() for _ in range(14)]
    assert felt == [True] * 12 + [False] * 2
    (tmp_path / "heart").write_text("8")
    assert pulse.beats()


def test_letters_are_plain_json(begun):
    """Whoever can write into the folder runs no code in the coordinator by that."""
    begun.tell("0-1", MESSAGES[2])
    (letter,) = (begun.folder / "told").iterdir()
    assert json.loads(letter.read_text())["values"] == [0.5, 2.0]

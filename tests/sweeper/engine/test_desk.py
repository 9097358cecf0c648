"""Calls in a process beside the coordinator, in the name of slots that are elsewhere."""

import os
import time
from contextlib import closing

import pytest
from hydra.core.singleton import Singleton

from sweeper.engine.desk import Desk
from sweeper.engine.executor import Call, Died, Done, Raised, Ready
from sweeper.engine.slot import Work
from sweeper.engine.supervisor import Manner, Supervisor

from ..watched import until

WORK = Work(None, None, None, Singleton.get_state()).pickled()


@pytest.fixture
def desk(tmp_path):
    with closing(Desk(lambda: Supervisor(0, Manner(threads=1), WORK, tmp_path, name="calls"))) as desk:
        yield desk


def heard(desk, count):
    found = []
    until(lambda: found.extend(desk.hear(0.1)) or len(found) >= count)
    return found


def fail():
    raise ValueError("no")


def test_calls_are_run_one_after_the_other_and_answered_to_who_asked(desk, tmp_path):
    for slot in (4, 2):
        desk.submit(slot, Call((tmp_path / str(slot)).touch))
    assert heard(desk, 4) == [Done(4, ()), Ready(4), Done(2, ()), Ready(2)]
    assert (tmp_path / "2").exists()
    assert not desk.is_busy


def test_a_call_that_ends_its_process_is_told_and_the_next_one_is_run(desk):
    desk.submit(1, Call(os._exit, (7,)))
    desk.submit(2, Call(fail))
    died, ready, raised, _ = heard(desk, 4)
    assert (died, ready) == (Died(1, died.reason), Ready(1))
    assert "exit code 7" in died.reason
    assert isinstance(raised, Raised)
    assert (raised.slot, raised.reason) == (2, "ValueError: no")


def go_on_and_on(begun):
    begun.touch()
    time.sleep(1000)


def test_a_call_that_is_withdrawn_ends_in_the_middle(desk, tmp_path):
    begun = tmp_path / "begun"
    desk.submit(1, Call(go_on_and_on, (begun,)))
    desk.submit(2, Call(print))
    until(lambda: desk.hear() or begun.exists())
    assert desk.hear() == []
    assert desk.withdraw(1)
    assert not desk.withdraw(3)
    assert heard(desk, 2) == [Done(2, ()), Ready(2)]

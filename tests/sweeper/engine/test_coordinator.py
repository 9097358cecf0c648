"""What the coordinator makes of messages, in the order in which they may come."""

from types import SimpleNamespace

import pytest

from sweeper.engine.coordinator import Coordinator, SweepFailed
from sweeper.engine.executor import Died, Done, Raised, Ready
from sweeper.engine.session import Session


class Slots:
    """An executor that says one list of messages after the other, and fails when it is asked for more."""

    def __init__(self, *said):
        self.said, self.jobs = list(said), []

    def submit(self, slot, job):
        self.jobs.append((slot, job.arguments))

    def wait(self, timeout):
        return self.said.pop(0)


def coordinator(slots):
    session = Session(SimpleNamespace(n_trials=0, max_failure_rate=0.0), slots, limits=None, stopping=None)
    return Coordinator(SimpleNamespace(begun=[]), session, emit=None, subdir=None)


def test_one_slot_answers_call_after_call():
    """A slot says that it is ready again in the same breath as that it is done."""
    slots = Slots([Ready(0)], [Done(0, ()), Ready(0)], [Done(0, ())])
    asking = coordinator(slots)
    asking.call(print, 1)
    asking.call(print, 2)
    assert slots.jobs == [(0, (1,)), (0, (2,))]


def test_what_other_slots_say_during_a_call_is_heard():
    slots = Slots([Ready(0)], [Ready(1)], [Done(0, ())], [Done(1, ())])
    asking = coordinator(slots)
    asking.call(print, 1)
    asking.call(print, 2)
    assert [slot for slot, _ in slots.jobs] == [0, 1]


@pytest.mark.parametrize("ends", [[Raised(0, "E: no", "no", None)], [Died(0, "lost"), Died(0, "no")]])
def test_a_call_that_fails_says_why_and_another_one_can_follow(ends):
    slots = Slots([Ready(0)], *([end, Ready(0)] for end in ends), [Done(0, ())])
    asking = coordinator(slots)
    with pytest.raises(SweepFailed, match="no"):
        asking.call(print, 1)
    asking.call(print, 2)
    assert [arguments for _, arguments in slots.jobs] == [(1,)] * len(ends) + [(2,)]


def test_a_call_whose_slot_is_lost_is_made_in_another_one():
    slots = Slots([Ready(0), Ready(1)], [Died(0, "lost")], [Done(1, ())])
    coordinator(slots).call(print, 1)
    assert slots.jobs == [(0, (1,)), (1, (1,))]

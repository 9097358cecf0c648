"""How a search or a confirmation ends: what is written of it, and what of the sweep is over by then."""

import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from sweeper.engine import ending
from sweeper.engine.failures import SweepFailed
from sweeper.engine.session import Session

SWEEP = Path("monday")


def write(failure=None, *, requested=False, disk=None):
    """The exit code and all that was done, in its order. disk: what it has against being written to."""
    done = []

    def break_off(*told):
        done.append(told)
        if disk:
            raise disk

    slots = SimpleNamespace(close=lambda: done.append("slots closed"))
    session = Session(None, slots, limits=None, stopping=SimpleNamespace(requested=requested))
    try:
        return ending.write(failure, session, SWEEP, finish=lambda: done.append("finished"), break_off=break_off), done
    except Exception as raised:
        return raised, done


def test_what_came_to_its_end_keeps_its_slots_for_the_best_network():
    assert write() == (0, ["finished"])


def test_nothing_trains_on_while_the_end_of_a_stopped_one_is_written():
    assert write(requested=True) == (130, ["slots closed", ("INTERRUPTED", "the user stopped it")])


@pytest.mark.parametrize("requested", [False, True])
@pytest.mark.parametrize("disk", [None, OSError("no space left")])
def test_a_failure_is_told_even_where_the_disk_takes_nothing_more(requested, disk):
    failure = SweepFailed("too much failed")
    assert write(failure, requested=requested, disk=disk) == (failure, ["slots closed", ("FAILED", "too much failed")])


def test_a_bug_in_what_is_written_is_not_hidden_behind_the_failure():
    bug = ZeroDivisionError("mine")
    assert write(SweepFailed("too much failed"), disk=bug)[0] is bug


def test_a_failure_of_the_disk_says_how_to_go_on():
    raised, _ = write(OSError(28, "No space left on device"))
    assert str(raised).startswith("monday: No space left on device.")
    assert str(raised).endswith("hydra.sweeper.resume=monday")


def test_sigterm_ends_the_waiting_for_mlflow_as_ctrl_c_does():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        ending.write(
            None,
            Session(None, None, limits=None, stopping=SimpleNamespace(requested=False)),
            SWEEP,
            finish=lambda: signal.raise_signal(signal.SIGTERM),
            break_off=None,
        )
    assert signal.getsignal(signal.SIGTERM) is before

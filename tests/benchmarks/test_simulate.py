"""The simulation of many slots: what is known beforehand is what it measures, and it tells and draws."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sweeper.records import journal
from sweeper.records.events import TrialEnded, TrialStarted

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
EPOCHS, SLOTS, TRIALS = 12, 4, 8
ASK = 3.0  # seconds that all waits for the disk take, each time


@pytest.fixture
def simulated(monkeypatch):
    """Four slots that start together, trials of twelve epochs of 60 s, and a coordinator whose work takes no time."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))  # its modules import each other as scripts do
    import fate
    import simulated

    monkeypatch.setattr(simulated, "DISK", ASK)
    exact = fate.Durations(epoch=60.0, spread=0.0, first=0.0, last=0.0, start=30.0)
    sweep = simulated.Sweep(SLOTS, TRIALS, "random", "none", 0, slowdown=0.0)
    return lambda folder, faults=None: simulated.run(sweep, folder, faults=faults, durations=exact)


def test_slots_are_used_as_much_as_arithmetic_says(simulated, tmp_path):
    """A trial waits for the disk when it is asked for, when its start is noted, and when its end is: 3 s each time.

    All slots are ready at 0 s and get their trials at 6, 12, 18 and 24 s. Their last epochs end 720 s later. At 726 s
    the first is answered and gets its next trial at 735; the second waits for its answer until then and gets it at 744;
    the third waits for its answer until then; the fourth is answered at once; these two get theirs at 756 and 762 s.
    """
    measured = simulated(tmp_path / "s")
    assert (measured.told, measured.epochs) == (TRIALS, TRIALS * EPOCHS)
    assert measured.states == {"FINISHED": TRIALS}
    starts = [event.time for event in journal.read(tmp_path / "s") if isinstance(event, TrialStarted)]
    submitted = [time - starts[0] + 2 * ASK for time in starts]
    assert submitted == pytest.approx([6, 12, 18, 24, 735, 744, 756, 762], abs=1e-3)
    waited = (6 + 12 + 18 + 24) + (735 - 726) + (744 - 732) + (756 - 738) + (762 - 744)
    assert measured.used == pytest.approx(1 - waited / (4 * 762), abs=1e-5)


def test_what_is_lost_is_trained_again_and_is_no_waiting(simulated, tmp_path):
    import fate

    never = {"out_of_memory": 0.0, "diverged": 0.0, "raised": 0.0, "hung": 0.0}
    nodes = fate.Faults(**never, slot_hours=1e9, node_hours=0.4, node=2)
    measured = simulated(tmp_path / "s", nodes)
    assert measured.told == measured.states["FINISHED"] == TRIALS
    assert measured.states["CRASHED"] >= 2
    assert 0.95 < measured.used < 1


@pytest.mark.parametrize(
    ("fault", "state"),
    [("out_of_memory", "OUT_OF_MEMORY"), ("diverged", "DIVERGED"), ("raised", "FAILED"), ("hung", "HUNG")],
)
def test_a_fault_ends_a_trial_as_it_does_in_real_slots(simulated, tmp_path, fault, state):
    import fate

    shares = {"out_of_memory": 0.0, "diverged": 0.0, "raised": 0.0, "hung": 0.0} | {fault: 1.0}
    measured = simulated(tmp_path / "s", fate.Faults(**shares, slot_hours=1e9, node_hours=1e9))
    assert measured.states == {state: TRIALS}
    ends = [event for event in journal.read(tmp_path / "s") if isinstance(event, TrialEnded)]
    assert {event.trial for event in ends} == set(range(TRIALS))


@pytest.mark.slow
def test_mlflow_is_behind_by_what_its_thread_needs(simulated, tmp_path):
    import lag

    simulated(tmp_path / "at_once")
    at_once = lag.measure(tmp_path / "at_once", 20, slowdown=0.0)
    assert at_once.events == 20
    assert at_once.work > 0
    assert max(lag for _, lag in at_once.lags) <= 5.0  # epochs are sent together
    simulated(tmp_path / "slow")
    slow = lag.measure(tmp_path / "slow", 20, slowdown=1e4)
    assert max(lag for _, lag in slow.lags) > 100


@pytest.mark.slow
def test_it_tells_and_draws(tmp_path):
    command = [sys.executable, str(BENCHMARKS / "simulate.py"), "--slots", "4", "--per-slot", "2", "--at-least", "8"]
    command += ["--searches", "random/none", "--runs", "1", "--events", "30", "--record", "r.jsonl", "--out", "s.png"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=300)
    assert "4 slots, random/none" in done.stdout
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")
    (row,) = map(json.loads, (tmp_path / "r.jsonl").read_text().splitlines())
    assert row["task"] == [4, "random/none", 0]
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=300)
    assert again.stdout.count("random/none") == 1

"""`status` beside sweeps of the light task that run, have ended or were killed, with the real command."""

import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from sweeper.commands import status as status_command
from sweeper.records import journal, sweeps
from sweeper.records.events import SweepEnded, TrialStarted

from ..terminal import CTRL_C
from ..watched import PATIENCE, X, events, until


def command(*arguments):
    return [sys.executable, "-m", "sweeper", "status", *arguments]


def status(*arguments):
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=PATIENCE)
    return done.returncode, done.stdout + done.stderr


def test_it_follows_a_sweep_to_its_end(start):
    sweep = start(X, "gate=open", "hydra/sweeper/pruner=none", "hydra.sweeper.n_trials=6")
    until(lambda: any(isinstance(event, TrialStarted) for event in events()))
    follower = subprocess.Popen(command("sweep"), stdout=subprocess.PIPE, text=True)
    said = follower.stdout.readline()
    Path("open").touch()
    said += follower.stdout.read()
    assert any(isinstance(event, SweepEnded) for event in events()), "it ended before the sweep did"
    assert sweep.wait(timeout=PATIENCE) == 0
    assert follower.wait(timeout=PATIENCE) == 0
    lines = said.splitlines()
    assert lines[0] == "Sweep sweep: 6 trials, maximize value"
    assert sum(" finished  value " in line for line in lines) == 6
    assert "It is over, finished." in lines
    assert "leaderboard --sweep" in said


def test_once_shows_it_as_it_is_and_leaves_it_alone(start):
    sweep = start(X, "pause=0.2", "gate=open", "hydra.sweeper.n_trials=2", "hydra.sweep.dir=multirun/monday")
    until(lambda: sum(isinstance(event, TrialStarted) for event in events("multirun/monday")) == 2)
    code, said = status("--once")
    assert code == 0, said
    assert said.startswith("Sweep monday: 2 trials")
    assert "over" not in said
    assert "0/2 trials" in said
    assert "2 running" in said
    assert "  trial 0    epoch 0 " in said
    Path("open").touch()
    assert sweep.wait(timeout=PATIENCE) == 0


def test_a_ctrl_c_leaves_a_followed_sweep_alone(start, terminal):
    sweep = start(X, "pause=0.2", "gate=open", "hydra.sweeper.n_trials=2")
    until(lambda: any(isinstance(event, TrialStarted) for event in events()))
    follower = terminal("status", "sweep")
    follower.until("running")
    follower.press(CTRL_C)
    assert follower.wait() == 0
    assert "Traceback" not in follower.said
    assert sweep.poll() is None
    Path("open").touch()
    assert sweep.wait(timeout=PATIENCE) == 0


def test_why_a_sweep_failed_is_told_whole(sweep):
    sweep(X, "fail=always")
    code, said = status("sweep")
    assert code == 0
    assert "It is over, failed: " in said
    assert "ValueError: no hill here" in said.partition("It is over, failed: ")[2]


def test_a_sweep_that_was_killed_is_told_with_the_command_to_go_on(start):
    sweep = start(X, "gate=open")
    until(lambda: any(isinstance(event, TrialStarted) for event in events()))
    sweep.kill()
    sweep.wait()
    code, said = status("sweep")
    assert code == 0, said
    assert "its process was lost" in said
    assert "hydra.sweeper.resume=" in said


def test_a_journal_whose_damaged_line_was_deleted_is_shown_without_that_trial(write_sweep, capsys):
    file = write_sweep("monday", *[("FINISHED", number / 10) for number in range(4)]) / journal.NAME
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not ("TrialStarted" in line and '"trial":3' in line)))
    assert status_command.run(Namespace(sweep=None, once=True)) == 0
    said = capsys.readouterr().out
    assert "trial 2 finished" in said
    assert "trial 3" not in said


def test_the_running_one_comes_before_the_latest(write_sweep):
    from sweeper.records.journal import Journal

    running, _ = write_sweep("monday", ("RUNNING",), started=1000.0), write_sweep("tuesday", ("FINISHED", 1.0))
    assert sweeps.running() is None
    journal = Journal(running)
    assert sweeps.running() == running
    journal.close()


@pytest.mark.parametrize(("arguments", "told"), [((), "No sweep lies below"), (("nowhere",), "No sweep lies below")])
def test_without_a_sweep_it_says_what_to_do(tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    code, said = status(*arguments)
    assert code == 2
    assert told in said

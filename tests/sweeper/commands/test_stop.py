"""`stop` from another process: the sweep of the light task ends as by Ctrl-C, and goes on later."""

import subprocess
import sys
from pathlib import Path

from sweeper.engine import stopping
from sweeper.records import record
from sweeper.records.events import TrialEnded

from ..watched import GATED, PATIENCE, X, events, let_through, trials, until

LIGHT = (X, GATED, "hydra/sweeper/pruner=none")


def stop(*arguments):
    command = [sys.executable, "-m", "sweeper", "stop", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    return done.returncode, done.stdout + done.stderr


def test_it_ends_with_everything_told_and_goes_on_later(start, sweep):
    let_through(0)
    process = start(*LIGHT, "hydra.sweeper.n_trials=50")
    until(lambda: any(isinstance(event, TrialEnded) for event in events()))
    code, said = stop("sweep")
    assert code == 0, said
    assert process.wait(timeout=PATIENCE) == 130
    assert "of 50 trials" in said
    assert "hydra.sweeper.resume=" in said
    assert record.read(Path("sweep")).ended.state == "INTERRUPTED"
    count = len(trials())
    let_through(*range(count))
    code, output = sweep(*LIGHT, f"hydra.sweeper.n_trials={count}", "hydra.sweeper.resume=sweep")
    assert code == 0, output
    assert [trial.state for trial in trials()] == ["FINISHED"] * count


def test_a_request_that_came_too_late_stops_nothing_else(sweep):
    Path("sweep").mkdir()
    stopping.request(Path("sweep"))
    code, output = sweep(X, "hydra.sweeper.n_trials=2")
    assert code == 0, output
    assert not Path("sweep", stopping.FILE).exists()


def test_what_does_not_run_is_said(sweep, tmp_path):
    sweep(X, "hydra.sweeper.n_trials=1")
    code, said = stop("sweep")
    assert code == 2
    assert "does not run" in said
    assert not Path("sweep", stopping.FILE).exists()
    code, said = stop()
    assert code == 2
    assert "No sweep runs" in said

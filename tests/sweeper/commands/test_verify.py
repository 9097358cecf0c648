"""The best cells of a map trained: what is refused, and a whole one that is killed and goes on."""

import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from sweeper.commands import verify
from sweeper.ranking import kept, promises
from sweeper.records import journal, record
from sweeper.records.events import SweepEnded, TrialEnded, TrialStarted
from sweeper.records.journal import Journal
from sweeper.search import ranges

from ..ranking.test_atlas import sized
from ..watched import mlflow_client, until

# An optimizer brings its own range of the learning rate: a dimension that only some trials have.
SEARCHED = (
    "hparams=search",
    "optimizer=adamw,sgd",
    "model.filters=tag(log, int(interval(2, 16)))",
    "trainer.batch_size=32,64",
)
SMALL = ("dataset.train_size=100", "trainer.epochs=1", "hydra.sweeper.n_jobs=1")
FOLDER = Path("multirun/monday")


@pytest.fixture
def typed(command):
    return partial(command, "verify")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--cells", "0"], "--cells 0: give the number of cells to train, from 1"),
        (["--bins", "0"], "--bins 0: give a number from 1 to 50"),
        (["--by", "latency"], "No finished trial of sweep monday tells latency"),
        (["trainer.epochs=9"], "trainer.epochs=9 is no setting of hydra"),
        (["--sweep", "tuesday"], "No sweep is called tuesday"),
    ],
)
def test_what_cannot_be_verified_is_said(words, told, typed, write_sweep):
    sized(write_sweep("monday", ("FAILED",)), 20)
    code, said = typed(*words)
    assert code == 2
    assert told in said.err
    assert not (FOLDER / promises.NAME).exists()


def test_a_sweep_that_runs_is_left_alone(typed, write_sweep):
    sized(write_sweep("monday", ("FAILED",)), 20)
    held = Journal(FOLDER)
    code, said = typed()
    held.close()
    assert code == 2
    assert "Sweep monday runs now. Wait for its end, or end it: python -m sweeper stop monday" in said.err


def test_a_sweep_that_was_broken_off_goes_on_first(typed, write_sweep):
    folder = write_sweep("monday", ("FAILED",))
    sized(folder, 20)
    held = Journal(folder)
    held.write(TrialStarted(21, 0, {"hparams.lr": 0.1, "width": 9.0}, "train", "21", 1000.0))
    held.close()
    code, said = typed()
    assert code == 2
    assert "was broken off in trial 21" in said.err
    assert "hydra.sweeper.resume=monday" in said.err
    assert not (folder / promises.NAME).exists()


def test_of_few_trials_nothing_is_promised(typed, write_sweep):
    sized(write_sweep("monday", ("FAILED",)), 5)
    code, said = typed()
    assert code == 2
    assert "Sweep monday has 5 finished trials: of less than 8 nothing is expected" in said.err


def sweep(*words):
    command = [sys.executable, "-m", "sweeper", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


def ended():
    return [event for event in journal.read(FOLDER, epochs=False) if isinstance(event, TrialEnded)]


@pytest.mark.slow
def test_what_was_promised_is_trained_and_joins_the_sweep_also_after_a_kill(project):
    search = (
        "-m",
        *SEARCHED,
        *SMALL,
        "hydra/sweeper/pruner=none",
        "hydra.sweeper.n_trials=10",
        f"hydra.sweep.dir={FOLDER}",
    )
    done = sweep(*search)
    assert done.returncode == 0, done.stderr
    before = record.read(FOLDER)

    process = subprocess.Popen([sys.executable, "-m", "sweeper", "verify", "--cells", "3"], stderr=subprocess.DEVNULL)
    until(lambda: len(ended()) > 10, 300)
    process.send_signal(signal.SIGKILL)
    process.wait()
    made = promises.read(FOLDER)
    assert len(made) == 3
    assert [promise.trial for promise in made] == [None] * 3
    assert promises.pending(made, record.read(FOLDER))

    done = sweep("verify", "--cells", "7", "--by", "mflops")
    assert done.returncode == 0, done.stderr
    assert "Goes on with 3 cells" in done.stderr
    found = record.read(FOLDER)
    assert len(found.trials) == 13
    assert found.trials[:10] == before.trials
    assert found.ended.state == "FINISHED"
    made = promises.read(FOLDER)
    came = kept.of(made, found)
    assert sorted(promise.trial for promise in made) == [10, 11, 12]
    names = ranges.of(found)
    for one in came:
        assert one.trial.params == one.promise.params
        assert one.trial.state == "FINISHED"
        assert f"hparams.lr@{one.trial.params['optimizer']}" in names[one.trial.number]
        assert f"hparams.lr={one.trial.params['hparams.lr']}" in one.trial.command
        assert f"model.filters={one.trial.params['model.filters']}" in one.trial.command
        assert mlflow_client().get_run(one.trial.run_id).data.tags["mlflow.parentRunId"] == found.run_id
    *rows, last = done.stdout.splitlines()
    assert [row.split("\t")[-2] for row in rows] == [str(one.trial.number) for one in came]
    assert last == f"{kept.summary(came, 'val_accuracy')} -> {(FOLDER / verify.PICTURE).absolute()}"
    assert (FOLDER / verify.PICTURE).stat().st_size > 5_000
    assert len((FOLDER / "leaderboard.csv").read_text().splitlines()) == 14

    # The command that it has typed is the sweep's by now.
    assert sum(isinstance(event, SweepEnded) for event in journal.read(FOLDER, epochs=False)) == 2
    done = sweep("confirm", "--top", "1", "--seeds", "2")
    assert done.returncode == 0, done.stderr

from pathlib import Path

import pytest

from sweeper.errors import ConfigError
from sweeper.records import sweeps
from sweeper.records.journal import NAME

RUN_IDS = ("abcdef01" * 4, "abcdef02" * 4, "99999999" * 4)


@pytest.fixture
def disk(write_sweep, write_run_ids):
    """A sweep with a trial in each state, an older one that minimizes, and a single run that came last."""
    states = [("FINISHED", 0.7), ("FINISHED", 0.9), ("PRUNED", 0.95), ("FAILED",), ("INTERRUPTED",), ("RUNNING",)]
    write_run_ids(write_sweep("monday", *states, started=200.0, reason="so it was\nindeed"), *RUN_IDS)
    write_sweep("sunday", ("FINISHED", 0.3), ("FINISHED", 0.2), started=100.0, directions=("minimize",))
    write_sweep("tuesday", ("FINISHED", 0.5), started=300.0, top="outputs")


def test_sweeps_and_single_runs_are_listed_latest_first(disk):
    assert sweeps.all() == [Path("outputs/tuesday"), Path("multirun/monday"), Path("multirun/sunday")]


def test_sweeps_deeper_down_are_found_and_trials_are_not_taken_for_sweeps(write_sweep):
    folder = write_sweep("2026-11-23/18-40-59", ("FINISHED", 0.5))
    write_sweep("2026-11-23/18-40-59/0", ("FINISHED", 0.5))
    assert sweeps.all() == [folder]


def test_a_journal_without_a_readable_first_line_is_listed_as_the_oldest(disk):
    broken = Path("multirun/broken")
    broken.mkdir()
    (broken / NAME).write_text("{{{\n")
    assert sweeps.all()[-1] == broken


@pytest.mark.parametrize(
    ("id", "found"),
    [(None, "tuesday"), ("monday", "monday"), ("multirun/sunday", "sunday"), ("multirun/sunday/", "sunday")],
)
def test_a_sweep_is_found_by_id_or_path_or_as_the_latest(disk, id, found):
    assert sweeps.find(id).id == found


def test_a_sweep_outside_of_the_usual_folders_is_found_by_its_path(write_sweep, tmp_path):
    write_sweep("mine", ("FINISHED", 0.5), top="elsewhere")
    assert sweeps.find(str(tmp_path / "elsewhere" / "mine")).id == "mine"


def test_the_name_of_a_sweep_finds_it_again(disk, write_sweep):
    for folder in (*sweeps.all(), write_sweep("mine", ("FINISHED", 0.5), top="elsewhere")):
        assert sweeps.find(sweeps.name(folder)).folder.absolute() == folder.absolute()


@pytest.mark.parametrize(
    ("run", "sweep", "number"),
    [
        ("best", None, 0),
        ("best", "monday", 1),
        ("best", "sunday", 1),
        ("monday/0", None, 0),
        ("multirun/monday/1", None, 1),
        ("0", "monday", 0),
        ("abcdef01", None, 0),
        ("abcdef02", "monday", 1),
        (RUN_IDS[1], None, 1),
    ],
)
def test_a_trial_is_found_by_what_people_call_it(disk, run, sweep, number):
    trial = sweeps.find_trial(run, sweep)
    assert (trial.state, trial.number) == ("FINISHED", number)


@pytest.mark.parametrize(
    ("run", "sweep", "message"),
    [
        ("best", "friday", "No sweep is called friday. Known, latest first: tuesday, monday, sunday"),
        ("friday/0", None, "No sweep is called friday"),
        ("monday/99", None, "has no trial 99. It has 0, 1, 2, 3, 4 and 1 more"),
        ("monday/2", None, r"Trial 2 of sweep monday is pruned \(so it was\), .* train it again: train 2"),
        ("monday/3", None, "is failed"),
        ("monday/5", None, "is interrupted"),
        ("999999", None, "is pruned"),
        ("abcdef", None, r"abcdef begins 2 runs: .*\(monday/0\), .*\(monday/1\). Give more characters"),
        ("abcdef01", "sunday", "No trial's MLflow run begins with abcdef01"),
        ("123456", None, "No trial's MLflow run begins with 123456"),
        ("ffffff", None, "run of the whole sweep monday. Give best --sweep monday"),
        ("abc", None, "'abc' names no trial"),
        ("3", None, "'3' names no trial. Give best, SWEEP/NUMBER, --sweep ID and a number"),
    ],
)
def test_a_trial_that_cannot_be_given_is_an_error_that_helps(disk, run, sweep, message):
    with pytest.raises(ConfigError, match=message):
        sweeps.find_trial(run, sweep)


def test_two_sweeps_of_one_name_are_told_apart_by_path(disk, write_sweep):
    write_sweep("monday", ("FINISHED", 0.5), top="outputs", started=400.0)
    with pytest.raises(ConfigError, match="names 2 sweeps: give a path, outputs/monday, multirun/monday"):
        sweeps.find("monday")


def test_best_of_a_sweep_without_finished_trials_says_so(write_sweep):
    write_sweep("bad", ("FAILED",), ("PRUNED", 0.9))
    with pytest.raises(ConfigError, match="Sweep bad has no finished trial among its 2"):
        sweeps.find_trial("best", None)


def test_without_any_sweep_the_error_says_how_to_start_one(tmp_path):
    with pytest.raises(ConfigError, match=r"No sweep lies below multirun or outputs .* python -m sweeper -m"):
        sweeps.find(None, tmp_path)


def test_best_is_the_best_of_the_latest_sweep_that_has_a_result(write_sweep):
    write_sweep("monday", ("FINISHED", 0.7), ("FINISHED", 0.9), started=1000.0)
    write_sweep("tuesday", ("FAILED",), started=2000.0)
    assert sweeps.find_trial("best", None).values == (0.9,)
    with pytest.raises(ConfigError, match="tuesday has no finished trial"):
        sweeps.find_trial("best", "tuesday")


def test_a_confirmation_is_named_by_its_sweep_which_alone_is_listed(write_sweep):
    write_sweep("monday", ("FINISHED", 0.9))
    confirmed = write_sweep("confirm", ("FINISHED", 0.8), top="multirun/monday")
    assert [folder.name for folder in sweeps.all()] == ["monday"]
    assert [sweeps.name(folder) for folder in (Path("multirun/monday"), confirmed)] == ["monday", "monday/confirm"]
    assert sweeps.find("monday/confirm").finished[0].values == (0.8,)
    assert sweeps.find("monday/confirm").id == "monday/confirm"


@pytest.mark.parametrize("run", ["monday/confirm/0", "multirun/monday/confirm/0", "abcdef77", "abcdef"])
def test_a_training_of_a_confirmation_is_found_by_what_people_call_it(run, write_sweep, write_run_ids):
    write_run_ids(write_sweep("monday", ("FINISHED", 0.9)), "123456" + "0" * 26)
    confirmed = write_sweep("confirm", ("FINISHED", 0.8), top="multirun/monday")
    write_run_ids(confirmed, "abcdef77" * 4, sweep="e" * 32)
    assert sweeps.find_trial(run, None).values == (0.8,)
    assert sweeps.owner(sweeps.find_trial(run, None)) == confirmed


def test_a_sweep_without_a_confirmation_says_how_to_make_one(write_sweep):
    write_sweep("monday", ("FINISHED", 0.9))
    with pytest.raises(ConfigError, match="python -m sweeper confirm --sweep monday"):
        sweeps.find_trial("monday/confirm/0", None)

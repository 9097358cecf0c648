import time

import optuna
import pytest

from sweeper.errors import DataError
from sweeper.records import record
from sweeper.records.events import EpochReported, SweepEnded, SweepStarted, TrialEnded, TrialStarted
from sweeper.records.journal import NAME, Journal


def started(*directions):
    return SweepStarted("s", "cmd", "val_accuracy", directions or ("maximize",), 3, None, 0.0)


def trial(number, *values, attempt=0):
    start = TrialStarted(number, attempt, {"lr": number}, "cmd", str(number), 10.0)
    return start, TrialEnded(number, "FINISHED", values, None, {}, 12.5)


def test_a_trial_is_what_its_events_say(tmp_path):
    start, end = trial(7, 0.9)
    epochs = [EpochReported(7, epoch, epoch / 10, {"loss": 1.0}, 11.0) for epoch in (1, 2)]
    sweep = record.replay(tmp_path, [started(), start, *epochs, end, SweepEnded("FINISHED", None, 7, 13.0)])
    assert sweep.trials == (
        record.Trial(
            number=7,
            params={"lr": 7},
            command="cmd",
            folder=tmp_path / "7",
            state="FINISHED",
            values=(0.9,),
            curve=((1, 0.1, {"loss": 1.0}), (2, 0.2, {"loss": 1.0})),
            started=10.0,
            seconds=2.5,
            subdir="7",
        ),
    )
    assert sweep.ended == SweepEnded("FINISHED", None, 7, 13.0)


def test_a_second_attempt_starts_afresh(tmp_path):
    start, _ = trial(0)
    crash = TrialEnded(0, "CRASHED", None, "killed", {}, 11.0)
    again, end = trial(0, 0.8, attempt=1)
    events = [started(), start, EpochReported(0, 1, 0.3, {}, 10.5), crash, again]
    running = record.replay(tmp_path, events).trials[0]
    assert (running.state, running.reason, running.curve) == ("RUNNING", None, ())
    assert record.replay(tmp_path, [*events, end]).trials[0].values == (0.8,)


def test_a_resumed_sweep_has_not_ended(tmp_path):
    assert record.replay(tmp_path, [started(), SweepEnded("INTERRUPTED", None, None, 1.0), started()]).ended is None


def test_a_trial_counts_as_running_only_while_a_coordinator_lives(tmp_path):
    journal = Journal(tmp_path)
    journal.write(started())
    journal.write(trial(0)[0])
    assert record.read(tmp_path).trials[0].state == "RUNNING"
    journal.close()
    assert record.read(tmp_path).trials[0].state == "INTERRUPTED"


@pytest.mark.parametrize(("direction", "order"), [("maximize", [1, 3, 0, 2]), ("minimize", [0, 1, 3, 2])])
def test_finished_trials_are_ranked_best_first_and_nan_last(tmp_path, direction, order):
    ends = [event for number, value in enumerate((0.1, 0.9, float("nan"), 0.9)) for event in trial(number, value)]
    unfinished = [trial(4)[0], TrialStarted(5, 0, {}, "", "5", 0.0), TrialEnded(5, "PRUNED", (1.0,), "behind")]
    sweep = record.replay(tmp_path, [started(direction), *ends, *unfinished])
    assert [found.number for found in sweep.ranked()] == order


@pytest.mark.parametrize("directions", [("maximize", "minimize"), ("minimize", "minimize", "maximize")])
def test_the_pareto_front_is_optunas(tmp_path, directions):
    study = optuna.create_study(directions=directions)
    points = [tuple(float((number * step) % 7) for step in (3, 5, 11)[: len(directions)]) for number in range(40)]
    for values in points:
        study.add_trial(optuna.trial.create_trial(values=values))
    ends = [event for number, values in enumerate(points) for event in trial(number, *values)]
    front = record.replay(tmp_path, [started(*directions), *ends]).pareto_front()
    assert [found.number for found in front] == sorted(found.number for found in study.best_trials)


def test_run_ids_are_those_of_the_last_attempts(tmp_path):
    rows = ['{"trial":null,"attempt":0,"run_id":"aa"}', '{"trial":0,"attempt":0,"run_id":"bb"}']
    (tmp_path / record.RUNS).write_text("\n".join([*rows, rows[1].replace("bb", "cc"), '{"trial":0,"att']))
    sweep = record.replay(tmp_path, [started(), *trial(0, 0.5)])
    assert (sweep.run_id, sweep.trials[0].run_id) == ("aa", "cc")


def test_a_journal_without_a_sweep_is_an_error_that_names_it(tmp_path):
    (tmp_path / NAME).touch()
    with pytest.raises(DataError, match=r"trials\.jsonl holds no sweep"):
        record.read(tmp_path)


def test_replaying_long_curves_takes_linear_time(tmp_path):
    epochs = [EpochReported(0, epoch, 0.5, {}, 11.0) for epoch in range(80_000)]
    begin = time.process_time()
    assert len(record.replay(tmp_path, [started(), trial(0)[0], *epochs]).trials[0].curve) == 80_000
    assert time.process_time() - begin < 2.0  # 0.05 here; a copy of the curve at each epoch takes 10

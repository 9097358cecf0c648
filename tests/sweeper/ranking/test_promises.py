import json
from dataclasses import replace

import numpy as np
import pytest

from sweeper.errors import DataError
from sweeper.ranking import atlas, axes, kept, promises
from sweeper.ranking.promises import Promise
from sweeper.records.events import TrialEnded, TrialStarted
from sweeper.records.journal import Journal
from sweeper.records.record import read

from .test_atlas import sized

PARAMS = {"lr": 0.1, "width": 3, "name": "a", "flag": True, "none": None}
PROMISE = Promise(0, 0, {"parameters": 10.0}, {"parameters": 20.0}, 0.9, 0.02, 0.85, 4, PARAMS)


@pytest.fixture
def sweep(write_sweep):
    return sized(write_sweep("monday", ("FAILED",)), 40)


def trained(folder, params, value, parameters=15, state="FINISHED", number=100):
    """The sweep with a trial more."""
    journal = Journal(folder)
    journal.write(TrialStarted(number, 0, params, "train", str(number), 1000.0))
    if state != "RUNNING":
        values = (value,) if state == "FINISHED" else None
        journal.write(TrialEnded(number, state, values, None, {"parameters": parameters}, 1010.0))
    journal.close()
    return read(folder)


def test_the_cells_that_promise_most_are_those_furthest_above_their_elites(sweep):
    drawn = atlas.of(sweep, axes.of(sweep, bins=4))
    chosen = promises.chosen(drawn, 4, 7)
    worst = min(trial.values[0] for trial in sweep.finished)
    floors = np.where(np.isnan(drawn.archive.scores), worst, drawn.archive.scores)
    gains = np.sort((drawn.expected.values - floors)[~np.isnan(drawn.expected.values)])[::-1]
    found = [promise.value - (worst if promise.elite is None else promise.elite) for promise in chosen]
    assert found == sorted(found, reverse=True)
    assert found[0] <= gains[0]
    assert min(found) > 0
    assert [(promise.round, promise.place) for promise in chosen] == [(7, place) for place in range(4)]
    for promise in chosen:
        holders = [trial for trial in sweep.finished if promise.holds(trial)]
        best = max(holders, key=lambda trial: trial.values, default=None)
        assert (promise.elite, promise.holder) == ((best.values[0], best.number) if best else (None, None))


def test_what_was_trained_promises_nothing(sweep):
    drawn = atlas.of(sweep, axes.of(sweep, bins=4))
    first, *rest = promises.chosen(drawn, 3, 0)
    again = trained(sweep.folder, first.params | {"width": first.params["width"] * (1 + 1e-9)}, 0.1)
    assert promises.chosen(replace(drawn, sweep=again), 2, 0) == [
        replace(promise, place=place) for place, promise in enumerate(rest)
    ]


def test_of_groups_that_were_never_chosen_together_nothing_is_promised(write_sweep):
    """Only a trial tells which dimensions they bring."""
    folder = write_sweep("monday")
    journal, rng = Journal(folder), np.random.default_rng(0)
    for number in range(24):
        one, other = (("a", "c"), ("a", "d"), ("b", "c"))[number % 3]
        params = {"one": one, "other": other, "width": float(rng.uniform(1, 9))}
        params |= ({"a.x": 0.5} if one == "a" else {}) | ({"c.x": 0.5} if other == "c" else {})
        value = params["width"] + 5 * (one == "b") + 5 * (other == "d")
        journal.write(TrialStarted(number, 0, params, "train", str(number), 1000.0))
        facts = {"parameters": 10 * params["width"]}
        journal.write(TrialEnded(number, "FINISHED", (value,), None, facts, 1010.0))
    journal.close()
    sweep = read(folder)
    chosen = promises.chosen(atlas.of(sweep, axes.of(sweep, ["parameters"])), 8, 0)
    assert chosen
    assert {("b", "d")}.isdisjoint((promise.params["one"], promise.params["other"]) for promise in chosen)
    known = {frozenset(trial.params) for trial in sweep.finished}
    assert {frozenset(promise.params) for promise in chosen} <= known


def test_they_are_read_as_they_were_written_the_latest_line_of_each(tmp_path):
    second = replace(PROMISE, round=1, elite=None, holder=None)
    promises.write(tmp_path, [PROMISE])
    with open(tmp_path / promises.NAME, "a") as file:
        file.write('{"round":1,"torn')
    promises.write(tmp_path, [second, replace(second, place=1)])
    promises.write(tmp_path, [replace(PROMISE, trial=9)])
    made = promises.read(tmp_path)
    assert made == [replace(PROMISE, trial=9), second, replace(second, place=1)]
    assert promises.latest(made) == made[1:]
    assert [type(value) for value in made[0].params.values()] == [float, int, str, bool, type(None)]
    assert promises.latest(promises.read(tmp_path / "nowhere")) == []


def test_a_damaged_line_is_named(tmp_path):
    (tmp_path / promises.NAME).write_text(json.dumps({"round": "first"}) + "\n")
    with pytest.raises(DataError, match=r"promises.jsonl, line 1: round is 'first'"):
        promises.read(tmp_path)


@pytest.mark.parametrize(
    ("state", "is_pending"), [("RUNNING", True), ("INTERRUPTED", True), ("FINISHED", False), ("FAILED", False)]
)
def test_a_promise_is_pending_until_its_trial_has_ended(state, is_pending, sweep):
    assert promises.pending([PROMISE], sweep) == [PROMISE]
    found = trained(sweep.folder, PARAMS, 0.9, state=state)
    assert promises.trial_of(PROMISE, found).number == 100
    assert promises.pending([PROMISE], found) == ([PROMISE] if is_pending else [])


@pytest.mark.parametrize("other", [{"lr": 0.10001}, {"width": 3.0}, {"flag": 1}, {"name": "b"}, {"more": 1}])
def test_a_trial_that_differs_is_not_its_trial(other, sweep):
    assert promises.trial_of(PROMISE, trained(sweep.folder, PARAMS | other, 0.9)) is None


@pytest.mark.parametrize(
    ("value", "parameters", "elite", "lands", "beats"),
    [
        (0.95, 15, 0.85, True, True),
        (0.80, 15, 0.85, True, False),
        (0.80, 15, None, True, True),
        (0.95, 25, 0.85, False, True),
    ],
)
def test_what_came_is_laid_beside_what_was_promised(value, parameters, elite, lands, beats, sweep):
    found = trained(sweep.folder, PARAMS, value, parameters)
    (one,) = came = kept.of([replace(PROMISE, elite=elite)], found)
    assert (one.got, one.lands, one.beats, one.improves) == (value, lands, beats, lands and beats)
    error = abs(value - 0.9)
    improved = "1 of 1 cell" if lands and beats else "0 of 1 cell"
    assert kept.summary(came, "val_accuracy") == f"{improved} improved, mean absolute error of val_accuracy {error:.4f}"


def test_less_is_better_where_it_is_minimised(write_sweep):
    folder = write_sweep("monday", ("FAILED",), directions=("minimize",), metric="val_loss")
    (one,) = kept.of([PROMISE], trained(folder, PARAMS, 0.8))
    assert one.beats
    drawn = sized(folder, 30)
    chosen = promises.chosen(atlas.of(drawn, axes.of(drawn, bins=4)), 5, 0)
    assert chosen
    assert all(promise.value < promise.elite for promise in chosen if promise.elite is not None)


def test_what_failed_improves_nothing_and_has_no_error(sweep, tmp_path):
    came = kept.of([PROMISE], trained(sweep.folder, PARAMS, None, state="FAILED"))
    assert (came[0].got, came[0].improves) == (None, False)
    assert kept.summary(came, "val_accuracy") == "0 of 1 cell improved, none was trained"
    kept.draw(came, "val_accuracy", 0).savefig(tmp_path / "empty.svg")


def test_the_picture_names_the_trials_of_the_last_round(sweep):
    found = trained(sweep.folder, PARAMS, 0.88)
    other = PARAMS | {"width": 4}
    found = trained(sweep.folder, other, 0.7, number=101)
    came = kept.of([PROMISE, replace(PROMISE, round=1, params=other)], found)
    (axis,) = kept.draw(came, "val_accuracy", 1).axes
    assert [words.get_text() for words in axis.texts] == ["101"]
    assert [words.get_text() for words in axis.get_legend().get_texts()] == ["earlier", "now"]

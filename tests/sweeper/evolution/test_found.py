"""The schedule that a population found, as data and as a picture."""

from dataclasses import replace
from pathlib import Path

import pytest

from sweeper.evolution import found, picture
from sweeper.page.schedule import section
from sweeper.page.seen import Seen
from sweeper.records.events import SweepStarted
from sweeper.records.lineage import Place
from sweeper.records.record import Sweep, Trial

STARTED = SweepStarted("s", "python -m sweeper -m", "val_accuracy", ("maximize",), 4, None, 1.0)


def trial(number, member, segment, parent, lr, value):
    params = {"hparams.lr": lr, "trainer.class_weights": None} | Place(member, segment, parent).params
    facts = {"epochs": 2 * segment}
    return Trial(number, params, "", Path(str(number)), "FINISHED", (value,), facts=facts)


SWEEP = Sweep(
    Path("s"),
    STARTED,
    (
        trial(0, 0, 1, None, 0.1, 0.2),
        trial(1, 1, 1, None, 0.001, 0.5),
        trial(2, 1, 2, 1, 0.001, 0.6),
        trial(3, 0, 2, 1, 0.0008, 0.7),
    ),
)


def test_the_line_of_the_best_goes_back_to_its_beginning():
    schedule = found.of(SWEEP)
    steps = schedule.steps(schedule.best, "hparams.lr")
    assert steps.epochs == [0, 2, 2, 4]
    assert steps.values == [0.001, 0.001, 0.0008, 0.0008]
    assert steps.trials == [1, 1, 3, 3]


def test_copies_are_where_a_member_changed_its_state():
    copies = found.of(SWEEP).copies("hparams.lr")
    assert (copies.epochs, copies.values, copies.trials) == ([2], [0.0008], [3])


def test_lives_have_gaps_between_them():
    lives = found.of(SWEEP).lives("hparams.lr")
    assert lives.epochs == [0, 2, 2, 4, None] * 2
    assert lives.values[:5] == [0.1, 0.1, 0.0008, 0.0008, None]


def test_a_picture_has_a_panel_a_hyperparameter():
    drawn = picture.draw(found.of(SWEEP))
    assert [axis.get_ylabel() for axis in drawn.axes] == ["lr", "class_weights"]
    assert [axis.get_yscale() for axis in drawn.axes] == ["log", "linear"]


def test_null_is_a_category_and_no_gap():
    schedule = found.of(SWEEP)
    assert schedule.lives("trainer.class_weights").words == ["null", "null", "null", "null", None] * 2
    assert schedule.is_category("trainer.class_weights")
    assert not schedule.is_category("hparams.lr")


@pytest.mark.parametrize("values", [(None, 0.3, "a", 0.5), (0.3, "a", 0.5, None), (0.3, 0.5, None, "a")])
def test_categories_that_are_numbers_too_can_be_drawn_and_listed(values, tmp_path):
    trials = [replace(one, params=one.params | {"x.y": y}) for one, y in zip(SWEEP.trials, values, strict=True)]
    schedule = found.of(replace(SWEEP, trials=tuple(trials)))
    picture.draw(schedule).savefig(tmp_path / "schedule.png")
    members, *_ = section(Seen(replace(SWEEP, trials=tuple(trials)), False)).blocks[0].blocks[2].figure["data"]
    assert set(members["y"]) == {"null", "0.3", "a", "0.5", None}


def test_other_sweeps_have_no_schedule():
    alone = Trial(0, {"hparams.lr": 0.1}, "", Path("0"), "FINISHED", (0.5,))
    assert found.of(Sweep(Path("s"), STARTED, (alone,))) is None
    assert found.of(Sweep(Path("s"), STARTED, ())) is None

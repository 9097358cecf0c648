import pytest

from sweeper.engine.waiting import Waiting


def params(filters, lr=0.1):
    return {"model.filters": filters, "hparams.lr": lr}


@pytest.fixture
def waiting():
    return Waiting()


def taken(waiting, slots, params):
    """Who gets the trial if these wait; all are back afterwards."""
    for slot in slots:
        waiting.add(slot)
    chosen = waiting.take_for(params)
    while waiting:
        waiting.take_prepared()
    return chosen


def test_a_trial_goes_where_its_structure_is_known(waiting):
    assert taken(waiting, [0, 1], params(8)) == 0
    assert taken(waiting, [1, 0], params(16)) == 1
    assert taken(waiting, [0, 1], params(16, lr=0.2)) == 1
    assert taken(waiting, [1, 0], params(8, lr=0.3)) == 0


@pytest.mark.parametrize("key", ["seed", "trainer.epochs"])
def test_a_seed_and_a_count_of_epochs_are_no_structure(waiting, key):
    assert taken(waiting, [0], {**params(8), key: 1}) == 0
    assert taken(waiting, [1, 0], {**params(8), key: 2}) == 0


def test_a_new_structure_goes_where_nothing_is_known_yet(waiting):
    taken(waiting, [0], params(8))
    assert taken(waiting, [0, 1], params(16)) == 1


def test_where_all_know_as_much_the_one_that_has_waited_longest_takes_it(waiting):
    for slot in (0, 1):
        taken(waiting, [slot], params(8))
    assert taken(waiting, [1, 0], params(8)) == 1
    assert taken(waiting, [0, 1], params(16)) == 0


def test_a_slot_knows_its_most_recent_structures(waiting):
    for filters in (1, 2, 3, 4, 1, 5):  # 2 is the oldest
        taken(waiting, [0], params(filters))
    taken(waiting, [1], params(9))
    assert taken(waiting, [1, 0], params(1)) == 0
    assert taken(waiting, [1, 0], params(2)) == 1


def test_a_lost_process_knows_nothing_and_waits_no_more(waiting):
    for slot in (0, 1):
        taken(waiting, [slot], params(8))
    waiting.forget(0)
    assert taken(waiting, [0, 1], params(8)) == 1
    assert taken(waiting, [0, 1], params(16)) == 0
    waiting.add(0)
    waiting.forget(0)
    assert not waiting


def test_a_slot_prepares_once_and_then_comes_first(waiting):
    waiting.add(1)
    assert waiting.take_to_prepare() == [1]
    waiting.add(0)
    waiting.add(1)
    assert waiting.take_prepared() == 1
    assert waiting.take_prepared() == 0, "better an unprepared one than none"
    waiting.add(1)
    assert waiting.take_to_prepare() == []
    waiting.forget(1)
    waiting.add(1)
    assert waiting.take_to_prepare() == [1]


def test_a_list_may_be_a_choice(waiting):
    assert taken(waiting, [0, 1], {"sizes": [8, 16]}) == 0
    assert taken(waiting, [1, 0], {"sizes": [8, 16]}) == 0

from sweeper.affinity import Affinity


def params(filters, lr=0.1):
    return {"model.filters": filters, "hparams.lr": lr}


def test_a_trial_goes_where_its_structure_is_known():
    affinity = Affinity()
    assert affinity.choose([0, 1], params(8)) == 0
    assert affinity.choose([1, 0], params(16)) == 1
    assert affinity.choose([0, 1], params(16, lr=0.2)) == 1
    assert affinity.choose([1, 0], params(8, lr=0.3)) == 0


def test_a_new_structure_goes_where_nothing_is_known_yet():
    affinity = Affinity()
    affinity.choose([0], params(8))
    assert affinity.choose([0, 1], params(16)) == 1


def test_where_all_know_as_much_the_first_one_takes_it():
    affinity = Affinity()
    for slot in (0, 1):
        affinity.choose([slot], params(8))
    assert affinity.choose([1, 0], params(8)) == 1
    assert affinity.choose([0, 1], params(16)) == 0


def test_a_slot_knows_its_most_recent_structures():
    affinity = Affinity()
    for filters in (1, 2, 3, 4, 1, 5):  # 2 is the oldest
        affinity.choose([0], params(filters))
    affinity.choose([1], params(9))
    assert affinity.choose([1, 0], params(1)) == 0
    assert affinity.choose([1, 0], params(2)) == 1


def test_a_lost_process_knows_nothing():
    affinity = Affinity()
    for slot in (0, 1):
        affinity.choose([slot], params(8))
    affinity.forget(0)
    assert affinity.choose([0, 1], params(8)) == 1
    assert affinity.choose([0, 1], params(16)) == 0

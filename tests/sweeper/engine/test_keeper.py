import pytest

from sweeper.engine.keeper import Keeper
from sweeper.records.events import TrialEnded, TrialStarted
from sweeper.records.record import Trial
from sweeper.sail.descriptor import Descriptor


@pytest.fixture
def keep(tmp_path):
    """Lets a keeper see these outcomes, each with a model on the disk; the trials whose model is left."""

    def keep(directions, number, *outcomes):
        keeper = Keeper(tmp_path, directions, number)
        for trial, (state, *values) in enumerate(outcomes):
            (tmp_path / str(trial)).mkdir()
            keeper.write(TrialStarted(trial, 0, {}, "", str(trial), 0.0))
            (tmp_path / str(trial) / "model.keras").write_text("weights")
            keeper.write(TrialEnded(trial, state, tuple(values) or None, None))
        return sorted(int(path.parent.name) for path in tmp_path.glob("*/model.keras"))

    return keep


@pytest.mark.parametrize(("direction", "left"), [("maximize", [1, 3]), ("minimize", [0, 2])])
def test_only_the_best_models_stay(keep, direction, left):
    assert keep((direction,), 2, ("FINISHED", 0.1), ("FINISHED", 0.8), ("FINISHED", 0.2), ("FINISHED", 0.9)) == left


def test_of_equal_models_the_earlier_stays(keep):
    assert keep(("maximize",), 1, ("FINISHED", 0.5), ("FINISHED", 0.5)) == [0]


FRONT = [(0.5, 1.0), (0.9, 9.0), (0.6, 2.0), (0.7, 5.0)]  # the higher the better, the lower the better


@pytest.mark.parametrize(
    ("number", "points", "left"),
    [
        (5, FRONT, [0, 1, 2, 3]),
        (5, [*FRONT, (0.1, 9.5), (0.2, 9.5)], [0, 1, 2, 3, 5]),  # the front, and the better of the rest
        (3, FRONT, [0, 1, 3]),  # its ends, and the one whose neighbours are far
        (1, FRONT, [1]),  # the best by the first objective
        (3, [*FRONT, (0.58, 2.5)], [0, 1, 3]),  # what a deleted one dominates takes no place in the front
    ],
)
def test_of_several_objectives_the_models_of_the_front_stay_spread_over_it(keep, number, points, left):
    assert keep(("maximize", "minimize"), number, *(("FINISHED", *point) for point in points)) == left


def test_the_model_of_a_trial_that_did_not_finish_goes(keep):
    assert keep(("maximize",), 5, ("PRUNED", 0.9), ("FAILED",), ("INTERRUPTED",), ("FINISHED", 0.1)) == [3]


SIZES = [Descriptor("parameters", 0, 30, bins=3)]


def ended(keeper, tmp_path, trial, value, parameters):
    (tmp_path / str(trial)).mkdir()
    keeper.write(TrialStarted(trial, 0, {}, "", str(trial), 0.0))
    (tmp_path / str(trial) / "model.keras").write_text("weights")
    keeper.write(TrialEnded(trial, "FINISHED", (value,), None, {"parameters": parameters}))


def left(tmp_path):
    return sorted(int(path.parent.name) for path in tmp_path.glob("*/model.keras"))


def test_of_a_map_the_elite_of_each_cell_stays_beside_the_best(tmp_path):
    keeper = Keeper(tmp_path, ("maximize",), 1, axes=SIZES)
    for trial, (value, parameters) in enumerate([(0.5, 5), (0.9, 25), (0.4, 6), (0.6, 15), (0.8, 26), (0.99, 40)]):
        ended(keeper, tmp_path, trial, value, parameters)
    assert left(tmp_path) == [0, 1, 3, 5]  # 5 is beyond the map, and the best
    ended(keeper, tmp_path, 6, 0.55, 7)
    ended(keeper, tmp_path, 7, 0.3, None)
    assert left(tmp_path) == [1, 3, 5, 6]


def test_a_session_that_goes_on_knows_the_elites(tmp_path, trained_before):
    before = trained_before([(0.5, 5), (0.9, 25)])
    keeper = Keeper(tmp_path, ("maximize",), 1, before, axes=SIZES)
    ended(keeper, tmp_path, 2, 0.4, 6)
    ended(keeper, tmp_path, 3, 0.6, 7)
    assert left(tmp_path) == [1, 3]


@pytest.fixture
def trained_before(tmp_path):
    def written(outcomes):
        trials = []
        for number, (value, parameters) in enumerate(outcomes):
            folder = tmp_path / str(number)
            folder.mkdir()
            (folder / "model.keras").write_text("weights")
            trials.append(Trial(number, {}, "", folder, "FINISHED", (value,), facts={"parameters": parameters}))
        return trials

    return written

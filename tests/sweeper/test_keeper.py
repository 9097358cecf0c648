import pytest

from sweeper.events import TrialEnded, TrialStarted
from sweeper.keeper import Keeper


@pytest.fixture
def keep(tmp_path):
    """Lets a keeper see these outcomes, each with a model on the disk; the trials whose model is left."""

    def keep(direction, number, *outcomes):
        keeper = Keeper(tmp_path, direction, number)
        for trial, (state, *values) in enumerate(outcomes):
            (tmp_path / str(trial)).mkdir()
            keeper.write(TrialStarted(trial, 0, {}, "", str(trial), 0.0))
            (tmp_path / str(trial) / "model.keras").write_text("weights")
            keeper.write(TrialEnded(trial, state, tuple(values) or None, None))
        return sorted(int(path.parent.name) for path in tmp_path.glob("*/model.keras"))

    return keep


@pytest.mark.parametrize(("direction", "left"), [("maximize", [1, 3]), ("minimize", [0, 2])])
def test_only_the_best_models_stay(keep, direction, left):
    assert keep(direction, 2, ("FINISHED", 0.1), ("FINISHED", 0.8), ("FINISHED", 0.2), ("FINISHED", 0.9)) == left


def test_of_equal_models_the_earlier_stays(keep):
    assert keep("maximize", 1, ("FINISHED", 0.5), ("FINISHED", 0.5)) == [0]


def test_the_model_of_a_trial_that_did_not_finish_goes(keep):
    assert keep("maximize", 5, ("PRUNED", 0.9), ("FAILED",), ("INTERRUPTED",), ("FINISHED", 0.1)) == [3]

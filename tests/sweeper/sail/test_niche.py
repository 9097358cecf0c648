import optuna
import pytest

from sweeper.config.compose import of_sweep
from sweeper.errors import ConfigError
from sweeper.sail.niche import NichePruner
from sweeper.sail.sampler import SAILSampler

SIZES = {"size": {"low": 0, "high": 10, "bins": 5}}


def begun(pruner):
    """Large networks reach 0.9, small ones 0.5."""
    found = optuna.create_study(direction="maximize", sampler=SAILSampler(SIZES, seed=0), pruner=pruner)
    for number in range(24):
        trial = found.ask()
        trial.set_user_attr("size", 1 if number % 4 == 0 else 9)
        end = 0.5 if number % 4 == 0 else 0.9
        for epoch in range(1, 6):
            trial.report(end * epoch / 5 + number / 1000, epoch)
        found.tell(trial, end)
    return found


def is_stopped(found, size, value):
    trial = found.ask()
    trial.set_user_attr("size", size)
    for epoch in range(1, 5):
        trial.report(value * epoch / 5, epoch)
    return trial.should_prune()


def test_a_small_network_is_compared_with_small_ones():
    niche = begun(NichePruner(k=5))
    assert not is_stopped(niche, 1, 0.55)
    assert is_stopped(niche, 1, 0.4)
    assert is_stopped(niche, 9, 0.55)
    assert is_stopped(begun(optuna.pruners.MedianPruner()), 1, 0.55)  # all of them together would stop it


def test_the_first_trial_of_a_cell_is_trained_to_its_end():
    assert not is_stopped(begun(NichePruner(k=5)), 5, 0.1)
    assert is_stopped(begun(NichePruner(k=5)), 11, 0.1), "beyond the map there is no cell to fill"


def test_a_trial_of_unknown_place_is_not_stopped():
    found = begun(NichePruner(k=5))
    trial = found.ask()
    for epoch in range(1, 5):
        trial.report(0.0, epoch)
    assert not trial.should_prune()


def test_without_a_map_it_says_what_to_choose():
    found = optuna.create_study(pruner=NichePruner())
    trial = found.ask()
    trial.report(1.0, 1)
    with pytest.raises(ConfigError, match="sampler=sail"):
        trial.should_prune()
    with pytest.raises(ConfigError, match="k=1"):
        NichePruner(k=1)


@pytest.mark.parametrize(
    ("typed", "pruner"),
    [
        (["hydra/sweeper/sampler=sail"], "sweeper.sail.niche.NichePruner"),
        (["hydra/sweeper/pruner=asha", "hydra/sweeper/sampler=sail"], "optuna.pruners.SuccessiveHalvingPruner"),
        ([], "optuna.pruners.MedianPruner"),
    ],
)
def test_sail_brings_it_unless_another_one_is_typed(typed, pruner):
    _, config = of_sweep(["hparams=search", *typed])
    assert config.hydra.sweeper.pruner._target_ == pruner

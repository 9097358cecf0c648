"""SAIL on the arm: better maps than at random, whoever goes on with the study, whatever became of its trials."""

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from sweeper.errors import ConfigError
from sweeper.sail import told
from sweeper.sail.sampler import SAILSampler

from .arm import JOINTS, ask, descriptors, hand, sampler, search, study, value


def quality(found):
    return sampler().archive(found).qd_score(floor=-0.5)


@pytest.mark.parametrize("exact", [True, False], ids=["exact descriptors", "observed ones"])
def test_its_map_is_better_than_a_random_one(exact):
    illuminated, random = study(sampler(exact=exact)), study(optuna.samplers.RandomSampler(seed=0))
    for found in (illuminated, random):
        search(found, 60)
    assert quality(illuminated) > 1.4 * quality(random)


def test_it_begins_with_an_even_sequence_and_the_same_seed_gives_the_same_trials():
    one, other, third = (study(sampler(seed=seed)) for seed in (3, 3, 4))
    for found in (one, other, third):
        search(found, 24)
    assert [trial.params for trial in one.trials] == [trial.params for trial in other.trials]
    assert one.trials[0].params != third.trials[0].params
    for name in JOINTS:
        assert {int(trial.params[name] * 4) for trial in one.trials[:16]} == {0, 1, 2, 3}


def test_another_process_goes_on_where_one_ended(tmp_path):
    storage = f"sqlite:///{tmp_path}/study.db"
    search(study(sampler(), storage=storage, study_name="arm"), 30)
    again = optuna.load_study(study_name="arm", storage=storage, sampler=sampler())
    search(again, 10)
    assert len({tuple(trial.params.values()) for trial in again.trials}) == 40


def test_trials_that_run_at_a_time_are_all_different():
    found = study(sampler(batch_size=2))
    search(found, 20)
    running = [ask(found)[1] for _ in range(8)]
    assert len({tuple(params.values()) for params in running}) == 8


def test_only_what_was_trained_to_its_end_is_an_elite():
    found = study(sampler())
    search(found, 16)
    best = max(trial.number for trial in found.trials)
    pruned, _ = ask(found)
    pruned.report(5.0, 1)
    found.tell(pruned, state=TrialState.PRUNED)
    found.tell(ask(found)[0], state=TrialState.FAIL)
    diverged = ask(found)[0]
    found.tell(diverged, float("-inf"))
    archive = sampler().archive(found)
    assert set(archive.holders) <= set(range(best + 1)) | {-1}
    known = told.read(found, sampler().genome(found), descriptors())
    assert known.values[-2:].tolist() == [known.values[:16].min()] * 2
    assert known.values[-3] == 5.0
    assert known.extra_noise[-3] > 0
    search(found, 4)  # it goes on


def test_smaller_is_better_where_the_study_minimizes():
    found = optuna.create_study(direction="minimize", sampler=sampler())
    for _ in range(30):
        trial, params = ask(found)
        found.tell(trial, -value(params))
    archive = sampler().archive(found)
    best = min(found.trials, key=lambda trial: trial.value)
    assert best.number in archive.holders


def test_exact_descriptors_are_kept_with_the_trials():
    found = study(sampler())
    trial, params = ask(found)
    found.tell(trial, value(params))
    assert [found.trials[0].user_attrs[name] for name in ("across", "up")] == pytest.approx(hand([params])[0])


def test_mixed_and_conditional_dimensions_are_searched():
    space = {
        "model": CategoricalDistribution(["small", "large"]),
        "width": IntDistribution(4, 64, log=True),
        "depth@large": IntDistribution(1, 4),
        "lr": FloatDistribution(1e-4, 1e-1, log=True),
    }
    of = {"small": {"model", "width", "lr"}, "large": set(space)}
    drawing = SAILSampler(
        {"size": {"low": 4, "high": 300, "bins": 6, "log": True}},
        search_space=space,
        deciding=["model"],
        active=lambda choices: of[choices["model"]],
        n_startup_trials=10,
        n_generations=10,
        seed=0,
    )
    found = study(drawing)
    for _ in range(25):
        trial = found.ask()
        model = trial.suggest_categorical("model", ["small", "large"])
        size = trial.suggest_int("width", 4, 64, log=True)
        size *= trial.suggest_int("depth@large", 1, 4) if model == "large" else 1
        lr = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
        trial.set_user_attr("size", size)
        found.tell(trial, size**0.5 - abs(lr - 0.01))
    assert drawing.archive(found).coverage >= 5 / 6
    assert all(("depth@large" in trial.params) == (trial.params["model"] == "large") for trial in found.trials)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"descriptors": {}}, "needs an axis"),
        ({"selection": "best"}, "selection=best: give gain or sobol"),
        ({"batch_size": 0}, "batch_size=0: give a whole number"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, told):
    with pytest.raises(ConfigError, match=told):
        SAILSampler(**{"descriptors": descriptors()} | settings)


def test_a_map_that_no_trial_tells_of_is_named():
    found = study(sampler(exact=False))
    for _ in range(18):
        trial, params = ask(found)
        trial.set_user_attr("up", 0.5)
        found.tell(trial, value(params))
    with pytest.raises(ConfigError, match=r"No finished trial has told across, the map of"):
        ask(found)


def test_a_trial_of_the_users_own_has_no_costs_of_another_one():
    told = {"across": 0.25, "up": 0.25}
    found = study(sampler(exact=False, costs=lambda params: told))
    search(found, 20)
    found.enqueue_trial({"joint_0": 0.123})
    _, params = ask(found)
    assert params["joint_0"] == 0.123
    assert "across" not in found.trials[-1].user_attrs

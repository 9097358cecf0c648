"""Which trainings a confirmation consists of, and which of them are left."""

from dataclasses import replace
from pathlib import Path

import pytest

from sweeper.errors import ConfigError, DataError
from sweeper.records.events import SweepStarted
from sweeper.records.record import Sweep, Trial
from sweeper.search import retrainings
from sweeper.search.retrainings import Retrainings

STARTED = SweepStarted("s", "python -m sweeper -m", "val_accuracy", ("maximize",), 9, None, 1.0)


def trial(number, value, params=None, **known):
    params = {"x": number} if params is None else params
    command = " ".join(["python -m sweeper", *overrides(params)])
    return Trial(number, params, command, Path("s") / str(number), "FINISHED", (value,), **known)


def overrides(params):
    return ["model=custom", *(f"{key}={value}" for key, value in params.items())]


def training(number, candidate, seed, state="FINISHED"):
    known = {"candidate": candidate, "seed": seed}
    return Trial(number, known, "", Path("s/confirm") / str(number), state, (0.5,) if state == "FINISHED" else None)


def sweep(*trials):
    return Sweep(Path("s"), STARTED, trials)


def planned(candidates, seeds, earlier=()):
    return Retrainings(Path("s/confirm"), candidates, seeds, overrides, earlier)


def asked(plan):
    found = []
    while plan._asked:
        found.append(plan.ask())
    return found


def test_the_candidates_are_the_best_that_differ_in_more_than_their_seed():
    same = [trial(0, 0.9, {"x": 1, "seed": 0}), trial(1, 0.95, {"x": 1, "seed": 1}), trial(2, 0.8, {"x": 2, "seed": 0})]
    assert [found.number for found in retrainings.candidates(sweep(*same), 3)] == [1, 2]


def test_a_trial_that_misses_a_constraint_is_a_candidate_only_if_all_do():
    missing = trial(0, 0.9, missed={"parameters <= 1": 2.0})
    assert [found.number for found in retrainings.candidates(sweep(missing, trial(1, 0.5)), 2)] == [1]
    assert [found.number for found in retrainings.candidates(sweep(missing), 2)] == [0]


def test_a_sweep_without_a_finished_trial_has_no_candidates():
    with pytest.raises(ConfigError, match="no finished trial among its 1"):
        retrainings.candidates(sweep(replace(trial(0, 0.9), state="PRUNED")), 1)


def test_trials_can_be_named_and_the_best_of_them_comes_first():
    found = sweep(trial(0, 0.5), trial(1, 0.9), trial(2, 0.7))
    assert [one.number for one in retrainings.candidates(found, [0, 2])] == [2, 0]


def test_a_named_trial_that_did_not_finish_is_refused():
    found = sweep(trial(0, 0.5), replace(trial(1, 0.9), state="PRUNED"))
    with pytest.raises(ConfigError, match=r"Trial 1 of sweep .* was pruned"):
        retrainings.candidates(found, [0, 1])
    with pytest.raises(ConfigError, match=r"Trial 7 of sweep .* is not there"):
        retrainings.candidates(found, [7])


def test_the_seeds_are_fresh_and_the_same_each_time():
    used = sweep(trial(0, 0.9, {"seed": retrainings.FIRST}), trial(1, 0.9, {"+seed": retrainings.FIRST + 2}))
    found = retrainings.seeds(used, None, 3, base=retrainings.FIRST + 1)
    assert found == [retrainings.FIRST + 3, retrainings.FIRST + 4, retrainings.FIRST + 5]


def test_more_seeds_are_added_to_those_there_are():
    confirmed = sweep(training(0, 7, 5), training(1, 8, 5), training(2, 7, 6))
    found = retrainings.seeds(sweep(), confirmed, 3, base=0)
    assert found == [5, 6, retrainings.FIRST]
    assert retrainings.seeds(sweep(), confirmed, 1, base=0) == [5]


def test_one_seed_of_all_candidates_comes_after_the_other():
    proposals = asked(planned([trial(4, 0.9), trial(2, 0.8)], [10, 11]))
    assert [(one.number, one.params["candidate"], one.params["seed"]) for one in proposals] == [
        (0, 4, 10),
        (1, 2, 10),
        (2, 4, 11),
        (3, 2, 11),
    ]
    assert proposals[0].overrides == ["model=custom", "x=4", "seed=10"]
    assert all(one.test for one in proposals)


def test_a_seed_that_was_searched_is_replaced_under_the_key_that_was_typed():
    (proposal,) = asked(planned([trial(0, 0.9, {"+seed": 3, "x": 1})], [10]))
    assert proposal.overrides == ["model=custom", "x=1", "+seed=10"]


def test_what_is_told_is_not_trained_again_and_what_is_not_goes_on():
    states = ("FINISHED", "DIVERGED", "INTERRUPTED", "FAILED")
    earlier = [training(number, 4, 10 + number, state) for number, state in enumerate(states)]
    plan = planned([trial(4, 0.9)], [10, 11, 12, 13, 14], earlier)
    assert [one.number for one in plan.begun] == [2, 3]
    assert [(one.number, one.params["seed"]) for one in asked(plan)] == [(4, 14)]
    assert plan.total == 5


def test_a_confirmation_is_complete_when_all_seeds_of_all_candidates_are_told():
    confirmed = sweep(training(0, 4, 10), training(1, 4, 11, "OUT_OF_MEMORY"), training(2, 2, 10))
    assert retrainings.is_complete([trial(4, 0.9)], confirmed, 2)
    assert retrainings.is_complete([trial(4, 0.9), trial(2, 0.9)], confirmed, 1)
    assert not retrainings.is_complete([trial(4, 0.9), trial(2, 0.9)], confirmed, 2)
    assert not retrainings.is_complete([trial(4, 0.9)], confirmed, 3)
    assert not retrainings.is_complete([trial(4, 0.9)], None, 2)


def test_a_trial_that_would_be_trained_otherwise_than_in_the_search_is_refused():
    then = replace(trial(4, 0.9), command="python -m sweeper model=custom model.filters=8 x=4")
    with pytest.raises(ConfigError, match=r"Trial 4 .* nothing instead of model.filters=8"):
        planned([then], [10])


@pytest.mark.parametrize("word", ["--config-dir=/tmp", "hydra.callbacks.a._target_=os.system", "+hydra/launcher=x"])
def test_what_is_no_value_of_the_config_is_not_typed_again(word):
    with pytest.raises(DataError, match="no plain value"):
        retrainings.check_word(word)


def test_an_interpolation_is_not_typed_again():
    with pytest.raises(DataError, match="no plain value"):
        retrainings.check_word("tracking.uri=http://there/${oc.env:HOME}")


def test_a_trial_whose_journal_names_a_setting_of_hydra_is_not_trained():
    with pytest.raises(DataError, match="no value of its config"):
        planned([trial(4, 0.9, {"hydra.job_logging.x": 1})], [10])

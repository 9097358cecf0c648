"""Each setting says what it takes; of several that are wrong the first one is told."""

import pytest

from sweeper.errors import ConfigError
from sweeper.search import settings

GROUPS = {"sampler": {}, "pruner": {}, "executor": {}}


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"direction": []}, "direction=[]: give minimize or maximize, or a list of them."),
        ({"direction": ["minimize", "up"]}, "direction=['minimize', 'up']: give minimize or maximize, or a list"),
        ({"n_trials": 0}, "n_trials=0: give a whole number of at least 1."),
        ({"n_trials": -1, "resume": "latest", "confirm": 3}, "n_trials=-1: give a whole number of at least 0."),
        ({"n_jobs": 1.5}, "n_jobs=1.5: give a whole number of at least 1, or null."),
        ({"n_trials": None}, "n_trials=null: give a whole number of at least 1."),
        ({"keep_models": True}, "keep_models=True: give a whole number of at least 1."),
        ({"max_retries": -1}, "max_retries=-1: give a whole number of at least 0."),
        ({"keep_models": 0}, "keep_models=0: give a whole number of at least 1."),
        ({"confirm": "best"}, "confirm=best: give a whole number of at least 1, or null."),
        ({"confirm": [3, -1]}, "confirm=[3, -1]: give numbers of trials, [3,17], or how many of the best."),
        ({"confirm": [True], "resume": "latest"}, "confirm=[True]: give numbers of trials"),
        ({"confirm": [3]}, "confirm=[3] names trials, and a new sweep has none."),
        ({"confirm_seeds": 1}, "confirm_seeds=1: give a whole number of at least 2."),
        ({"reuse_duplicates": 1}, "reuse_duplicates=1: give true or false."),
        ({"test": None}, "test=null: give true or false."),
        ({"timeout": 0}, "timeout=0: give seconds above 0, or null."),
        ({"trial_timeout": True}, "trial_timeout=True: give seconds above 0, or null."),
        ({"heartbeat": None}, "heartbeat=null: give seconds above 0."),
        ({"heartbeat": float("inf")}, "heartbeat=inf: give seconds above 0."),
        ({"params": "x"}, "params=x: give ranges by key, {hparams.lr: 'interval(1e-4, 1e-2)'}, or null."),
        ({"spaces": "model"}, "spaces=model: give a list, [model, hparams], or null."),
        ({"study_name": 7}, "study_name=7: give a text, or null."),
        ({"enqueue": [{}, 7]}, "enqueue=[{}, 7]: give a list of values by key, [{hparams.lr: 1e-3}], or the ID of an"),
        ({"max_failure_rate": 1.1}, "max_failure_rate=1.1: give a share from 0.0 to 1.0."),
        ({"max_failure_rate": True}, "max_failure_rate=True: give a share"),
        ({"confirm": [3], "n_trials": 0, "direction": "up"}, "direction=up"),
        ({"confirm": [3], "n_trials": 0}, "confirm=[3] names trials"),
        ({"max_failure_rate": 2, "heartbeat": 0, "keep_models": 0}, "keep_models=0"),
        ({"pruner": "median"}, "pruner=median: choose one of the files, hydra/sweeper/pruner=…"),
        ({"trials": 3, "pruner": "median"}, "trials is not a setting. Choose from sampler, pruner, executor, dir"),
    ],
)
def test_a_value_that_a_setting_does_not_take_is_refused(keys, complaint):
    with pytest.raises(ConfigError) as refused:
        settings.read(GROUPS | keys)
    assert str(refused.value).startswith(f"hydra.sweeper.{complaint}")


@pytest.mark.parametrize(
    "keys",
    [
        {"direction": ["minimize", "maximize"]},
        {"n_trials": 0, "resume": "latest", "confirm": 3},
        {"confirm": [3, 17], "resume": "latest"},
        {"n_jobs": None, "confirm": None},
        {"timeout": None, "trial_timeout": 0.5, "heartbeat": 1},
        {"params": {"x": "interval(0, 1)"}, "spaces": ["model"], "study_name": "mine"},
        {"enqueue": "yesterday"},
        {"enqueue": [{"x": 1}, {}]},
        {"max_failure_rate": 1},
    ],
)
def test_what_a_setting_takes_is_kept(keys):
    found = settings.read(GROUPS | keys)
    assert {key: getattr(found, key) for key in keys} == keys

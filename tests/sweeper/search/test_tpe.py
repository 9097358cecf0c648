"""Our TPE draws what Optuna's does, until there are more trials than it is to learn from."""

import optuna
import pytest
from optuna.samplers import TPESampler as Optunas
from optuna.trial import TrialState

from sweeper.errors import ConfigError
from sweeper.search.tpe import TPESampler

MOST = 200


def value(trial):
    kind = trial.suggest_categorical("kind", ("a", "b"))
    return trial.suggest_float("x", -1, 1) ** 2 + 0.1 * (kind == "a") + trial.suggest_int("n", 1, 5)


def search(sampler, trials, study=None, misses=None):
    """Some trials are pruned, some fail, and three run at any time."""
    study = study or optuna.create_study(sampler=sampler)
    running = []
    for _ in range(trials):
        trial = study.ask()
        running.append((trial, value(trial)))
        if len(running) > 3:
            trial, told = running.pop(0)
            if misses:
                trial.set_constraint("x", misses(trial))
            trial.report(told, 1)
            state = {1: TrialState.PRUNED, 2: TrialState.FAIL}.get(trial.number % 5, TrialState.COMPLETE)
            study.tell(trial, told if state == TrialState.COMPLETE else None, state=state)
    return study


def drawn(study):
    return [trial.params for trial in study.trials]


def test_few_trials_are_drawn_as_optunas_own_draws_them():
    assert drawn(search(TPESampler(seed=1, most=MOST), MOST)) == drawn(search(Optunas(seed=1), MOST))


def test_of_many_it_is_shown_the_best_and_the_latest(monkeypatch):
    study = search(TPESampler(seed=1, most=MOST), 60)
    best = min(study.trials[:57], key=lambda trial: trial.value if trial.value is not None else 9)
    study.sampler = optuna.samplers.RandomSampler(1)
    search(None, 400, study)
    seen = []
    draw = Optunas.sample_relative
    monkeypatch.setattr(Optunas, "sample_relative", lambda self, of, *rest: seen.append(of) or draw(self, of, *rest))
    study.sampler = TPESampler(seed=1, most=MOST)
    params = study.ask({"x": optuna.distributions.FloatDistribution(-1, 1)}).params
    (view,) = seen
    shown = {trial.number: trial for trial in view.trials}
    ended = [trial.number for trial in study.trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    assert len(shown) < len(study.trials)
    assert best.number in shown
    assert set(ended[-MOST // 2 :]) <= set(shown)
    assert {trial.number for trial in study.trials if trial.state == TrialState.RUNNING} <= set(shown)
    assert list(shown) == sorted(shown)
    assert -1 <= params["x"] <= 1


def test_what_misses_a_constraint_is_not_among_the_best_of_many():
    study = search(optuna.samplers.RandomSampler(1), 500, misses=lambda trial: trial.params["x"])
    study.sampler = TPESampler(seed=1, most=MOST)
    late = search(None, 60, study).trials[-60:]
    assert sum(trial.params["x"] > 0 for trial in late) < 20


@pytest.mark.parametrize("most", [10, 2.5])
def test_too_few_to_learn_from_are_refused(most):
    with pytest.raises(ConfigError, match="most"):
        TPESampler(most=most)

"""What a member goes on with that has taken over another's state."""

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from sweeper.errors import ConfigError
from sweeper.evolution.method import Past, drawn
from sweeper.evolution.pb2 import PB2
from sweeper.evolution.pbt import PBT, perturbed
from sweeper.evolution.told import LOST, Told
from sweeper.records.lineage import Place

SPACE = {
    "lr": FloatDistribution(1e-4, 1e-1, log=True),
    "dropout": FloatDistribution(0.0, 0.5),
    "patience": IntDistribution(1, 4),
    "weights": CategoricalDistribution((None, "balanced")),
}
VALUES = {"lr": 1e-3, "dropout": 0.2, "patience": 2, "weights": None}
NOTHING = Past((), ())


def explored(method, past=NOTHING, dimensions=SPACE, values=VALUES, score=0.5, segment=1, seeds=200):
    parent = Told(Place(0, segment), values, score)
    return [method.explore(parent, dimensions, past, np.random.default_rng(seed)) for seed in range(seeds)]


@pytest.mark.parametrize(
    ("value", "of", "factor", "becomes"),
    [
        (1e-3, FloatDistribution(1e-4, 1e-1, log=True), 1.25, 1.25e-3),
        (1.1e-4, FloatDistribution(1e-4, 1e-1, log=True), 0.8, 1e-4),
        (0.45, FloatDistribution(0.0, 0.5), 1.25, 0.5),
        (0.2, FloatDistribution(0.0, 0.5, step=0.1), 1.25, 0.3),
        (2, IntDistribution(1, 4), 1.25, 3),
        (2, IntDistribution(1, 4), 0.8, 1),
        (1, IntDistribution(1, 4), 0.8, 1),
        (40, IntDistribution(10, 100, step=10), 2, 80),
        ("a", CategoricalDistribution(("a", "b")), 0.8, "a"),
    ],
)
def test_a_perturbed_value_stays_in_its_range_and_on_its_steps(value, of, factor, becomes):
    assert perturbed(value, of, factor) == (becomes if isinstance(becomes, str) else pytest.approx(becomes))
    assert isinstance(perturbed(value, of, factor), type(value))


def test_without_resampling_numbers_move_by_the_factors_and_categories_stay():
    found = explored(PBT(8, 1, 0.25, [0.8, 1.25], 0.0))
    assert {round(one["lr"] / 1e-3, 6) for one in found} == {0.8, 1.25}
    assert {one["patience"] for one in found} == {1, 3}
    assert {one["weights"] for one in found} == {None}


def test_each_is_drawn_anew_by_that_chance():
    found = explored(PBT(8, 1, 0.25, [0.8, 1.25], 0.25), seeds=1000)
    fresh = [round(one["lr"] / 1e-3, 6) not in (0.8, 1.25) for one in found]
    assert 0.2 < np.mean(fresh) < 0.3
    assert 0.08 < np.mean([one["weights"] == "balanced" for one in found]) < 0.17  # half of those drawn
    assert all(1e-4 <= one["lr"] <= 1e-1 for one in found)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"members": 1}, "evolution.members=1: give a whole number from 2"),
        ({"every": 0}, "evolution.every=0"),
        ({"quantile": 0.6}, "evolution.quantile=0.6: give a share from 0 to 0.5"),
        ({"factors": [0]}, r"evolution.factors=\[0\]"),
        ({"resample": 2}, "evolution.resample=2: give a chance from 0 to 1"),
    ],
)
def test_bad_settings_are_refused(keys, message):
    with pytest.raises(ConfigError, match=message):
        PBT(**{"members": 4, "every": 1, "quantile": 0.25, "factors": [0.8], "resample": 0.1} | keys)


LINE = {"lr": FloatDistribution(1e-4, 1e-1, log=True)}


def gain(lr):
    """Of a segment: best at a rate of 1e-2."""
    return 0.1 - 0.05 * (np.log10(lr) + 2) ** 2


def lives(segments=3, members=8):
    """Told segments of members with random constant rates."""
    rng, told = np.random.default_rng(0), []
    for member, lr in enumerate(10 ** rng.uniform(-4, -1, members)):
        score = 0.5
        for segment in range(1, segments + 1):
            score += gain(lr)
            told.append(Told(Place(member, segment, None if segment == 1 else member), {"lr": lr}, score))
    return told


def test_pb2_takes_what_has_gained_most():
    method = PB2(8, 1, 0.25, kappa=0.0, candidates=300)
    found = explored(method, Past(lives(), ()), LINE, {"lr": 1e-3}, score=0.6, segment=3, seeds=10)
    gains = [gain(one["lr"]) for one in found]
    assert np.mean(gains) > 0.085  # of 0.1; drawn at random 0.04


def test_pb2_tries_something_else_than_what_runs():
    method, running = PB2(8, 1, 0.25, kappa=3.0, candidates=500), []
    told = lives(members=4)
    for member in range(3):
        parent = told[-1]
        chosen = method.explore(parent, LINE, Past(told, running), np.random.default_rng(0))
        running.append((Place(member, 4, 2), chosen))
    rates = np.log10([values["lr"] for _, values in running])
    assert np.diff(np.sort(rates)).min() > 0.05  # the same candidates, and the same first choice otherwise


def test_pb2_tries_something_else_than_a_first_segment_that_runs():
    method, told = PB2(8, 1, 0.25, kappa=100.0, candidates=500), lives(segments=1)
    (alone,) = explored(method, Past(told, ()), LINE, seeds=1)
    (beside,) = explored(method, Past(told, [(Place(7, 1), alone)]), LINE, seeds=1)
    assert beside != alone


def test_pb2_follows_a_best_rate_that_moves():
    best, rng, told = np.linspace(-1.3, -3.7, 7), np.random.default_rng(0), []
    scores = np.full(8, 0.5)
    for segment in range(1, 7):
        for member in range(8):
            lr = 10 ** rng.uniform(-4, -1)
            scores[member] += 0.1 - 0.05 * (np.log10(lr) - best[segment - 1]) ** 2
            told.append(Told(Place(member, segment, None if segment == 1 else member), {"lr": lr}, scores[member]))
    parent = max(told[-8:], key=lambda one: one.score)
    method = PB2(8, 1, 0.25, kappa=0.0, candidates=300)
    found = [method.explore(parent, LINE, Past(told, ()), np.random.default_rng(seed)) for seed in range(5)]
    assert np.mean([np.log10(one["lr"]) for one in found]) == pytest.approx(best[6], abs=0.3)  # -2.5 is their mean


def test_pb2_draws_while_too_few_have_ended_the_same_segment():
    method = PB2(8, 1, 0.25, kappa=0.0, candidates=50)
    found = explored(method, Past(lives(members=3), ()), LINE, seeds=20)
    assert found == [drawn(LINE, np.random.default_rng(seed)) for seed in range(20)]


def test_pb2_draws_while_it_knows_nothing_and_passes_over_what_was_lost():
    method = PB2(8, 1, 0.25, kappa=2.0, candidates=50)
    lost = [Told(Place(member, 1), {"lr": 1e-2}, LOST) for member in range(5)]
    found = explored(method, Past(lost, ()), LINE, {"lr": 1e-3}, seeds=50)
    assert len({one["lr"] for one in found}) == 50

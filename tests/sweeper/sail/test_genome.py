import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from sweeper.sail.genome import Genome

MIXED = Genome(
    {
        "lr": FloatDistribution(1e-4, 1e-2, log=True),
        "dropout": FloatDistribution(0, 0.5, step=0.1),
        "filters": IntDistribution(4, 64, log=True),
        "depth": IntDistribution(8, 32, step=6),
        "norm": CategoricalDistribution([None, "batch", True, 0.5]),
    }
)


def test_what_is_decoded_can_be_drawn_and_encodes_to_the_same_again():
    genes = np.random.default_rng(0).random((500, 5))
    trials = MIXED.decode(genes)
    for params in trials:
        for name, of in MIXED.dimensions.items():
            assert of._contains(of.to_internal_repr(params[name])), (name, params[name])
            assert type(params[name]) is type(of.to_external_repr(of.to_internal_repr(params[name])))
    again = MIXED.decode(MIXED.encode(trials))
    for before, after in zip(trials, again, strict=True):
        assert after == pytest.approx(before)
        assert type(after["norm"]) is type(before["norm"])


def test_each_value_of_a_whole_number_or_category_has_its_share_of_the_genes():
    trials = MIXED.decode(np.tile(np.linspace(0, 1, 1001)[:, None], 5))
    for name, count in (("depth", 5), ("norm", 4), ("dropout", 6)):
        shares = [
            sum(params[name] == choice and type(params[name]) is type(choice) for params in trials)
            for choice in {(type(params[name]), params[name]): params[name] for params in trials}.values()
        ]
        assert len(shares) == count
        assert max(shares) - min(shares) <= 2


def test_genes_that_mean_the_same_trial_look_the_same_to_a_surrogate():
    genes = np.random.default_rng(1).random((300, 5))
    np.testing.assert_allclose(MIXED.features(genes), MIXED.features(MIXED.encode(MIXED.decode(genes))), atol=1e-9)


def test_a_dimension_that_does_not_exist_for_a_trial_is_neither_decoded_nor_learned_from():
    widths = {"custom": {"filters"}, "alexnet": set()}
    conditional = Genome(
        {"model": CategoricalDistribution(["custom", "alexnet"]), "filters": IntDistribution(4, 64)},
        deciding=("model",),
        active=lambda choices: {"model"} | widths[choices["model"]],
    )
    genes = np.array([[0.2, 0.1], [0.2, 0.9], [0.8, 0.1], [0.8, 0.9]])
    with_filters, _, without, _ = conditional.decode(genes)
    assert set(with_filters) == {"model", "filters"}
    assert without == {"model": "alexnet"}
    features = conditional.features(genes)
    assert (features[0] != features[1]).any()
    assert (features[2] == features[3]).all()
    np.testing.assert_allclose(features[2], conditional.features(conditional.encode([without]))[0])


@pytest.mark.parametrize(("active", "most"), [({"custom": {"filters"}, "vgg16": {"width", "depth"}}, 3), (None, 4)])
def test_the_most_dimensions_that_a_trial_has_are_those_of_one_choice(active, most):
    names = ["filters", "width", "depth"]
    dimensions = {"model": CategoricalDistribution(["custom", "vgg16"])} | dict.fromkeys(names, IntDistribution(1, 3))
    genome = Genome(dimensions, ("model",), active and (lambda choices: {"model"} | active[choices["model"]]))
    assert genome.most == most

import pytest
from hydra.core.config_loader import ConfigLoader
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from sweeper.config.compose import of_sweep
from sweeper.planning import corners
from sweeper.planning.corners import HIGH, LOW, MIDDLE
from sweeper.search import space


def sampled(*arguments, most=100, spaces=("model", "hparams")):
    context, config = of_sweep(arguments)
    loader: ConfigLoader = context.config_loader
    built = space.build(arguments, None, spaces, loader, lambda lines: loader.load_sweep_config(config, lines))
    return corners.sample(built, most)


def params(found):
    return [corner.params for corner in found]


@pytest.mark.parametrize(
    ("of", "low", "middle", "high"),
    [
        (FloatDistribution(0.0, 1.0), 0.0, 0.5, 1.0),
        (FloatDistribution(1e-4, 1e-2, log=True), 1e-4, 1e-3, 1e-2),
        (FloatDistribution(0.0, 0.75, step=0.25), 0.0, 0.5, 0.75),
        (IntDistribution(1, 4), 1, 3, 4),
        (IntDistribution(16, 40, step=8), 16, 32, 40),
        (IntDistribution(1, 64, log=True), 1, 8, 64),
        (CategoricalDistribution((32, 512)), 32, 32, 512),
        (CategoricalDistribution(("a", None, "c")), "a", None, "c"),
        (CategoricalDistribution(("a",)), "a", "a", "a"),
    ],
)
def test_a_corner_has_values_that_its_dimensions_can_draw(of, low, middle, high):
    found = [corners.at(of, share) for share in (LOW, MIDDLE, HIGH)]
    assert found == [low, middle, high]
    assert [type(value) for value in found] == [type(low), type(middle), type(high)]
    assert all(of._contains(of.to_internal_repr(value)) for value in found)


def test_each_option_comes_first_then_the_ends_then_one_dimension_at_a_time():
    found = params(sampled("model=custom,vgg16", "hparams.lr=interval(0, 2)", "trainer.batch_size=8,16,32"))
    batches, lrs = ("trainer.batch_size", "hparams.lr")
    assert [(corner["model"], corner[batches], corner[lrs]) for corner in found] == [
        ("custom", 16, 1.0),
        ("vgg16", 16, 1.0),
        ("custom", 8, 0.0),
        ("custom", 32, 2.0),
        ("vgg16", 8, 0.0),
        ("vgg16", 32, 2.0),
        ("custom", 8, 1.0),  # the size of a batch changes the cost of a step, so it comes before the learning rate
        ("vgg16", 8, 1.0),
        ("custom", 32, 1.0),
        ("vgg16", 32, 1.0),
        ("custom", 16, 0.0),
        ("vgg16", 16, 0.0),
        ("custom", 16, 2.0),
        ("vgg16", 16, 2.0),
    ]


def test_a_corner_is_there_once():
    assert params(sampled("trainer.batch_size=32,512")) == [{"trainer.batch_size": 32}, {"trainer.batch_size": 512}]


@pytest.mark.parametrize(("most", "expected"), [(1, 3), (3, 3), (5, 5)])
def test_a_low_limit_never_leaves_out_an_option(most, expected):
    found = params(sampled("model=custom,vgg16,resnet", "optimizer=adamw,lion", "hparams=search", most=most))
    assert len(found) == expected
    assert {corner["model"] for corner in found} == {"custom", "vgg16", "resnet"}
    assert {corner["optimizer"] for corner in found} == {"adamw", "lion"}


def test_every_combination_of_options_is_there_if_there_is_room():
    found = params(sampled("model=custom,vgg16", "optimizer=adamw,lion"))
    assert {tuple(corner.values()) for corner in found} == {
        (model, optimizer) for model in ("custom", "vgg16") for optimizer in ("adamw", "lion")
    }


def test_what_the_file_of_an_option_brings_is_at_its_own_ends():
    found = params(sampled("optimizer=sgd,adamw", "hparams=search", spaces=("hparams", "optimizer")))
    highest = {name: max(one["hparams.lr"] for one in found if one["optimizer"] == name) for name in ("sgd", "adamw")}
    assert highest["sgd"] > highest["adamw"] == 1e-2


def test_an_option_that_does_not_exist_is_a_corner_with_a_problem():
    found = sampled("model=custom,nowhere", "hparams.lr=1e-3,1e-2")
    assert [corner.params["model"] for corner in found if corner.problem] == ["nowhere"]
    (problem,) = (corner.problem for corner in found if corner.problem)
    assert "model=nowhere: there is no such option." in problem
    assert {corner.params["hparams.lr"] for corner in found if not corner.problem} == {1e-3, 1e-2}

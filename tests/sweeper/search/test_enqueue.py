"""Trials that the user wants first."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from sweeper.errors import ConfigError
from sweeper.search import enqueue
from sweeper.search.space import Brought, Space

WIDTHS = {"steep": IntDistribution(1, 2), "wide": IntDistribution(30, 50, step=10)}
DIMENSIONS = {"x": FloatDistribution(-1, 1), "flag": CategoricalDistribution([True, "1", None])}


def of_groups(choices):
    hill = choices["hill"]
    return {"hill.width": Brought(f"hill.width@{hill}", WIDTHS[hill])}


SPACE = Space((), DIMENSIONS | {"hill": CategoricalDistribution(tuple(WIDTHS))}, ("hill",), of_groups)


def test_values_go_by_the_names_that_optuna_has_for_them():
    assert enqueue.read([{"x": 0.5}, {"hill": "wide", "hill.width": 40, "flag": None}], SPACE) == [
        {"x": 0.5},
        {"hill": "wide", "hill.width@wide": 40, "flag": None},
    ]


def test_nothing_wanted_is_nothing_enqueued():
    assert enqueue.read(None, SPACE) == []


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"y": 1}, r"enqueue\[0\]: y is not searched, but x, flag, hill are\. Choose hill too"),
        ({"hill.width": 1}, "hill.width is not searched, .* Choose hill too: each option has its own"),
        ({"hill": "wide", "hill.width": 45}, "hill.width=45 is none of the numbers from 30 to 50 in steps of 10"),
        ({"x": 2}, "x=2 is none of the numbers from -1 to 1"),
        ({"x": "0.5"}, "x=0.5 is none of the numbers"),
        ({"x": True}, "x=True is none of the numbers"),
        ({"hill": "flat"}, "hill=flat is none of steep, wide"),
        ({"flag": 1}, "flag=1 is none of True, 1, None"),
    ],
)
def test_a_value_that_cannot_be_drawn_is_named_with_those_that_can(values, complaint):
    with pytest.raises(ConfigError, match=complaint):
        enqueue.read([values], SPACE)


@pytest.mark.parametrize(
    "values",
    [
        {"x": 1e-05, "y": -0.1, "z": 3, "big": 1e22},
        {"hparams.lr": 0.1 + 0.2, "model.filters": 7, "+hill": "wide"},
        {"flag": True, "none": None, "text": "true", "number": "1e-3", "empty": ""},
        {"name": "it's, {a}: [b]", "list": "[1,2]", "quoted": "'a'", "back": "a\\b", "path": "a/b c"},
    ],
)
def test_what_is_typed_for_trials_is_read_as_them(values):
    line = enqueue.override([values, {"x": 0.5}])
    parsed = OverridesParser.create().parse_override(line)
    config = OmegaConf.create({})
    OmegaConf.update(config, "enqueue", parsed.value())
    found = OmegaConf.to_container(config.enqueue)
    assert found == [values, {"x": 0.5}]
    assert [type(value) for value in found[0].values()] == [type(value) for value in values.values()]


def test_of_no_trials_nothing_is_typed():
    assert enqueue.override([]) == "hydra.sweeper.enqueue=[]"

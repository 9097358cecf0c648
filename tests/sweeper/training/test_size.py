"""The counted size is that of the network a trial makes, for every network and with what else counts."""

import keras
import pytest
from omegaconf import OmegaConf

from sweeper.config.compose import composed
from sweeper.errors import ConfigError
from sweeper.training import instances, size


def config(*overrides):
    return composed(["dataset=digits", "dataset.train_size=100", *overrides])


@pytest.mark.parametrize("model", ["custom", "hierarchy", "resnet", "densenet"])
def test_it_is_counted_without_the_network(model):
    cfg = config(f"model={model}", "model.filters=6") if model != "densenet" else config("model=densenet")
    counted = size.count(cfg)
    data = instances.dataset(cfg)
    network = instances.network(cfg, data.input_shape, data.num_classes)
    assert counted == size.of(network, instances.make(cfg, "trainer"))
    assert counted["parameters"] == sum(weight.numpy().size for weight in network.weights)


def test_the_answer_to_two_views_takes_twice_the_operations():
    one, two = size.count(config()), size.count(config("trainer.views=2"))
    assert two == {"parameters": one["parameters"], "mflops": 2 * one["mflops"]}


def test_networks_that_are_made_afterwards_have_their_weights():
    size.count(config())
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    assert network.weights[0].numpy().any()


def test_a_network_that_cannot_be_is_refused():
    cfg = config("model=resnet")
    OmegaConf.update(cfg, "model.depth", 9)
    with pytest.raises(ConfigError, match=r"model\.depth=9"):
        size.count(cfg)

"""What networks cost, told by a real process that builds them."""

from contextlib import closing

import psutil
import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton

from sweeper import app
from sweeper.config.compose import composed, of_sweep
from sweeper.engine.pricing import Pricing
from sweeper.engine.slot import Work
from sweeper.training import size

SWEEP = ["-m", "dataset=digits", "dataset.train_size=100"]


@pytest.fixture(scope="module")
def pricing(tmp_path_factory):
    context, config = of_sweep(SWEEP[1:])
    HydraConfig.instance().set_config(config)
    work = Work(context, config, app.train, Singleton.get_state()).pickled()
    with closing(Pricing(work, tmp_path_factory.mktemp("slots"), preload=config.hydra.sweeper.executor.preload)) as one:
        yield one


@pytest.mark.parametrize("network", [["model=custom", "model.filters=5"], ["model=hierarchy", "hparams.lr=0.1"]])
def test_it_is_what_a_trial_tells(pricing, network):
    assert pricing.ask(network) == size.count(composed([*SWEEP[1:], *network]))


def test_of_a_network_that_cannot_be_nothing_is_known_and_the_next_one_is_told(pricing):
    assert pricing.ask(["model=resnet", "model.depth=9"]) == {}
    assert pricing.ask(["model=custom", "model.filters=5"])["parameters"] > 0


def test_a_process_that_was_killed_is_begun_anew(pricing):
    told = pricing.ask(["model=custom"])
    pricing._process.body.kill()
    assert pricing.ask(["model=custom"]) in ({}, told)
    assert pricing.ask(["model=custom"]) == told


def test_none_is_left(pricing):
    pricing.ask(["model=custom"])
    number = pricing._process.body.pid
    pricing.close()
    assert not psutil.pid_exists(number)

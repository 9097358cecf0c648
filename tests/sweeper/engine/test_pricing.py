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
from sweeper.engine.stopping import Stopping, request
from sweeper.training import size

SWEEP = ["-m", "dataset=digits", "dataset.train_size=100"]


@pytest.fixture(scope="module")
def pricing(tmp_path_factory):
    context, config = of_sweep(SWEEP[1:])
    HydraConfig.instance().set_config(config)
    work = Work(context, config, app.train, Singleton.get_state()).pickled()
    logs = tmp_path_factory.mktemp("slots")
    with closing(Pricing(work, logs, config.hydra.sweeper.executor.preload, Stopping(logs))) as one:
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


def test_one_that_is_lost_again_and_again_is_left_alone(tmp_path):
    pricing = Pricing(b"no work", tmp_path, (), Stopping(tmp_path))
    assert [pricing.ask(["model=custom"]) for _ in range(3)] == [{}, {}, {}]
    assert len((tmp_path / "pricing.log").read_text().split("Traceback")) == 3  # of two processes


def test_a_sweep_that_shall_stop_does_not_wait_for_it(tmp_path, pricing):
    stopping = Stopping(tmp_path)
    asked = Pricing(pricing._work, tmp_path, pricing._preload, stopping)
    request(tmp_path)
    assert asked.ask(["model=custom"]) == {}


def test_none_is_left(pricing):
    pricing.ask(["model=custom"])
    number = pricing._process.body.pid
    pricing.close()
    assert not psutil.pid_exists(number)

"""Corners of a task that costs nothing, on real processes: what dies or raises is a line, and the others go on."""

import os
import resource
import signal
import sys
from contextlib import closing

import cloudpickle
import pytest
from hydra.core.singleton import Singleton
from omegaconf import open_dict, read_write

from sweeper.config.compose import of_sweep
from sweeper.engine.local import LocalExecutor
from sweeper.engine.slot import Work
from sweeper.planning.corners import Corner
from sweeper.planning.preflight import Measured
from sweeper.planning.tryout import try_out
from sweeper.search.space import Space

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # a slot does not find the tests


def task(cfg):
    if cfg.seed == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if cfg.seed == 2:
        resource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33))
        bytearray(2**34)
    if cfg.seed == 3:
        raise ValueError("no\nluck")
    return Measured(10, 20, 30, None, 0.1, 1.0, float(os.getpid()))


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tryout")
    context, config = of_sweep([])
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.sweep.dir = str(folder)
    corners = [Corner({"seed": seed}) for seed in (0, 1, 2, 3, 4)]
    corners += [Corner({"model": "x"}, problem="not there\nConfig search path: …"), Corner({"nokey": 3})]
    done = []
    with closing(LocalExecutor(slots=2, recycle_after=1)) as executor:
        work = Work(context, config, task, Singleton.get_state())
        found, start_up = try_out(corners, Space((), {}, (), dict), work, executor, folder, done.append)
    assert done[-1] == len(corners)
    assert start_up > 0
    return found


def test_the_corners_come_back_in_their_order_with_what_they_cost(tried):
    assert [one.corner.params.get("seed") for one in tried] == [0, 1, 2, 3, 4, None, None]
    assert [one.measured is not None for one in tried] == [True, False, False, False, True, False, False]
    assert tried[0].measured.parameters == 10


def test_each_corner_has_a_process_of_its_own(tried):
    assert tried[0].measured.seconds != tried[4].measured.seconds  # their process IDs


@pytest.mark.parametrize(
    ("place", "failure"),
    [
        (1, "killed by SIGKILL"),
        (2, "MemoryError"),
        (3, "ValueError: no luck"),
        (5, "not there"),
        (6, "ConfigCompositionException: Could not override 'nokey'. To append to your config use +nokey=3"),
    ],
)
def test_a_corner_that_fails_says_why_in_a_line(tried, place, failure):
    assert tried[place].failure.startswith(failure)
    assert "\n" not in tried[place].failure

"""What is known of a cluster before one is begun."""

import importlib.util
import subprocess
import sys

import pytest

from sweeper.errors import ConfigError
from sweeper.ray import cluster
from sweeper.ray.cluster import Cluster, Need


def test_without_ray_the_user_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="needs the package ray: python -m pip install"):
        Cluster(None, Need())


def test_an_executor_that_is_chosen_has_not_imported_ray_yet():
    code = "import sys; import sweeper.ray.executor; raise SystemExit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("need", "slots"),
    [
        (Need(), 4),
        (Need(cpus=0.5), 8),
        (Need(cpus=3), 1),
        (Need(gpus=0.5), 2),
        (Need(gpus=0.1), 4),  # 10, in floating point a little less, but for the cores
        (Need(memory=3), 3),
        (Need(gpus=2), 0),
    ],
)
def test_a_node_holds_as_many_slots_as_its_scarcest_resource_allows(need, slots):
    assert need.fits_into({"CPU": 4, "GPU": 1, "memory": 10e9}) == slots


@pytest.mark.parametrize(
    ("address", "slots", "cards", "part"),
    [
        (None, None, 1, 1),
        (None, 1, 2, 1),
        (None, 3, 1, 0.3333),
        (None, 4, 2, 0.5),
        (None, 4, 0, 0),
        ("auto", 4, 1, 1),
        ("auto", None, 0, 0),
    ],
)
def test_slots_have_the_cards_that_there_are_unless_the_user_says_otherwise(monkeypatch, address, slots, cards, part):
    monkeypatch.setattr(cluster, "_nodes", lambda: [{"CPU": 4.0, "GPU": float(cards)}])
    assert Cluster(address, Need())._part_of_a_card(slots) == pytest.approx(part)
    assert Need(gpus=part).fits_into({"CPU": 8, "GPU": cards}) >= (slots or 1) or not cards or address

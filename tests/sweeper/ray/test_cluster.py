"""What is known of a cluster before one is begun."""

import importlib.util
import subprocess
import sys

import pytest

from sweeper.errors import ConfigError
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

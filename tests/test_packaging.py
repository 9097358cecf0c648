"""The wheel: it brings configs and zoos, works far from the checkout, and shadows nobody's `datasets` or `models`."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def installed(site, tmp_path):
    """Runs Python where only the wheel, somebody's own `datasets`, and the packages of this environment are found."""
    site = shutil.copytree(site, tmp_path / "site")
    (site / "datasets").mkdir()
    (site / "datasets" / "__init__.py").write_text("owner = 'somebody else'\n")

    def run(*arguments):
        environment = os.environ | {"PYTHONPATH": str(site)}
        return subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )

    return run


def test_the_wheel_holds_every_config_and_zoo_file_and_no_other_top_level_package(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"sweeper", "hydra_plugins"}
    ours = [
        path for top in ("conf", "models", "datasets") for path in (ROOT / top).rglob("*.*") if "cache" not in str(path)
    ]
    assert {f"sweeper/{path.relative_to(ROOT)}" for path in ours if path.suffix in (".py", ".yaml")} <= set(names)
    brought = [*(ROOT / "sweeper").rglob("*.yaml"), *(ROOT / "sweeper" / "page" / "html").iterdir()]
    assert {str(path.relative_to(ROOT)) for path in brought} <= set(names)


def test_an_installed_wheel_composes_and_finds_its_zoos(installed):
    composed = installed("-m", "sweeper", "--cfg", "job", "model=alexnet")
    assert composed.returncode == 0, composed.stderr
    assert "sweeper.models.alexnet.build" in composed.stdout
    found = installed(
        "-c", "import sweeper.models.custom as m, sweeper.datasets.digits as d; print(m.__file__, d.__file__)"
    )
    assert found.returncode == 0, found.stderr
    assert str(ROOT) not in found.stdout


def test_an_installed_wheel_leaves_somebodys_datasets_alone(installed):
    done = installed("-c", "import datasets, sweeper.datasets.digits; print(datasets.owner)")
    assert done.stdout == "somebody else\n", done.stderr


APP = """
import hydra


@hydra.main(version_base="1.3", config_path=None)
def square(cfg):
    return cfg.x**2


if __name__ == "__main__":
    square()
"""


def test_an_installed_wheel_is_found_by_any_hydra_application(installed, tmp_path):
    (tmp_path / "app.py").write_text(APP)
    sweep = ["hydra/sweeper=study", "hydra.sweep.dir=sweep", "hydra.sweeper.n_trials=2", "+x=interval(-1, 1)"]
    done = installed("app.py", "-m", *sweep)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "sweep" / "optimization_results.yaml").exists()

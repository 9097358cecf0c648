"""The hash of the code that trains: it changes with it, and costs a trial next to nothing."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from sweeper.training import sources

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _anew():
    sources._hash.cache_clear()
    yield
    sources._hash.cache_clear()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A package of the user's own, and a module."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "hashed_project" / "nets").mkdir(parents=True)
    (tmp_path / "hashed_project" / "nets" / "rings.py").write_text("def build(): return 1\n")
    (tmp_path / "hashed_module.py").write_text("def build(): return 1\n")
    return tmp_path


def test_a_change_in_a_package_that_is_called_changes_its_hash_alone(project):
    targets = ["hashed_project.nets.rings.build", "hashed_module.build"]
    before = sources.fingerprint(targets).split(", ")
    assert [word.split()[0] for word in before] == ["sweeper", "hashed_module", "hashed_project"]
    sources._hash.cache_clear()
    (project / "hashed_project" / "nets" / "rings.py").write_text("def build(): return 2\n")
    after = sources.fingerprint(targets).split(", ")
    assert [a == b for a, b in zip(after, before, strict=True)] == [True, True, False]


def test_what_others_have_made_has_a_version_and_no_hash():
    found = sources.fingerprint(["keras.optimizers.Adam", "os.system", "nowhere.at_all", "__main__.x"])
    assert found == sources.fingerprint([])
    assert found.startswith("sweeper ")
    assert "," not in found


def test_a_network_of_the_zoo_is_code_of_the_package():
    names = [name for name, _ in sources._files("sweeper")]
    assert {"models/custom.py", "datasets/digits.py", "training/trial.py"} <= set(names)
    assert len(names) == len(set(names))


@pytest.mark.slow
def test_a_checkout_and_the_installed_package_are_the_same_code(site, tmp_path):
    code = "from sweeper.training import sources; print(sources.fingerprint([]))"
    installed = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(site)}, capture_output=True, text=True
    )
    assert installed.stdout.strip() == sources.fingerprint([]), installed.stderr


def test_a_trial_pays_for_it_once():
    targets = ["sweeper.models.custom.build", "keras.optimizers.Adam"]
    began = time.process_time()
    sources.fingerprint(targets)
    first = time.process_time() - began
    for _ in range(100):
        sources.fingerprint(targets)
    assert time.process_time() - began < 2 * first

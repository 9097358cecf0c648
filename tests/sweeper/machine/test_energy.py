"""The counters of a machine that has them, laid out as Linux does: a folder a zone, microjoules in a file."""

from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from sweeper.machine import energy
from sweeper.machine.energy import WATTS_A_CORE, Meter


@pytest.fixture(autouse=True)
def no_cards(monkeypatch):
    monkeypatch.setenv("PATH", "")


@pytest.fixture(autouse=True)
def half_seconds(monkeypatch):
    """One passes from each look at the clock to the next."""
    moments = count(0, 0.5)
    monkeypatch.setattr(energy, "time", SimpleNamespace(monotonic=lambda: next(moments)))


def zone(root: Path, folder: str, name: str, joules: float = 0.0, most: float = 1000.0) -> Path:
    (root / folder).mkdir(parents=True)
    (root / folder / "name").write_text(f"{name}\n")
    (root / folder / "max_energy_range_uj").write_text(f"{most * 1e6:.0f}\n")
    spend(root / folder, joules)
    return root / folder


def spend(counter: Path, joules: float) -> None:
    (counter / "energy_uj").write_text(f"{joules * 1e6:.0f}\n")


def measured(root: Path, *counted: tuple[Path, float]):
    """After half a second, in which the counters went on to these joules."""
    meter = Meter(root)
    for counter, joules in counted:
        spend(counter, joules)
    meter.sample()
    return meter.power(cores=2)


def test_packages_and_memory_count_and_what_they_hold_does_not_count_again(tmp_path):
    package = zone(tmp_path, "intel-rapl:0", "package-0")
    core = zone(tmp_path, "intel-rapl:0:0", "core")
    memory = zone(tmp_path, "intel-rapl:0:1", "dram")
    whole = zone(tmp_path, "intel-rapl:1", "psys")
    power = measured(tmp_path, (package, 50.0), (core, 30.0), (memory, 10.0), (whole, 90.0))
    assert power.watts == 120  # 60 J in half a second
    assert power.source == "RAPL for processors and memory"


def test_a_counter_that_starts_again_goes_on(tmp_path):
    package = zone(tmp_path, "intel-rapl:0", "package-0", joules=990.0)
    assert measured(tmp_path, (package, 40.0)).watts == 100


def test_the_highest_power_counts(tmp_path):
    package = zone(tmp_path, "intel-rapl:0", "package-0")
    meter = Meter(tmp_path)
    for joules in (100.0, 101.0):
        spend(package, joules)
        meter.sample()
    assert meter.power(cores=2).watts == 200


def test_without_counters_the_power_is_assumed_and_says_so(tmp_path):
    power = measured(tmp_path)
    assert power.watts == 2 * WATTS_A_CORE
    assert power.source == f"an assumed {WATTS_A_CORE:g} W for each of 2 cores"


def test_the_cards_are_asked_by_nvidia_smi(tmp_path, monkeypatch):
    asked = tmp_path / "bin" / "nvidia-smi"
    asked.parent.mkdir()
    asked.write_text("#!/bin/sh\necho 61.5\necho '[N/A]'\necho 100.25\n")
    asked.chmod(0o755)
    monkeypatch.setenv("PATH", str(asked.parent))
    power = measured(tmp_path)
    assert power.watts == 2 * WATTS_A_CORE + 161.75
    assert power.source.endswith("and nvidia-smi for the GPUs")

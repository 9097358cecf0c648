import numpy as np
import pytest

from sweeper.errors import ConfigError
from sweeper.ranking import atlas, axes, heat_map
from sweeper.records import record
from sweeper.records.events import TrialEnded, TrialStarted
from sweeper.records.journal import Journal


def true(lr, size):
    return 1 - (np.log10(lr) + 3) ** 2 / 9 - 0.05 * (6 - np.log10(size))


def sized(folder, trials, state="FINISHED"):
    """Adds trials of 10 ** 3 to 10 ** 6 parameters, whose value is `true`."""
    rng = np.random.default_rng(0)
    journal = Journal(folder)
    for number in range(1, trials + 1):
        lr, size = 10 ** rng.uniform(-5, -1), 10 ** rng.uniform(3, 6)
        value = true(lr, size)
        journal.write(TrialStarted(number, 0, {"hparams.lr": lr, "width": size}, "train", str(number), 1000.0))
        facts = {"parameters": int(size), "mflops": size / 1e4, "epochs": 3}
        journal.write(TrialEnded(number, state, (value,), None, facts, 1010.0))
    journal.close()
    return record.read(folder)


@pytest.fixture
def sweep(write_sweep):
    return sized(write_sweep("monday", ("FAILED",), facts={"parameters": 5000}), 40)


def drawn(sweep, bins=4):
    return atlas.of(sweep, [axes.spanning(sweep, name, bins) for name in ("parameters", "mflops")])


def test_an_elite_is_the_best_trained_network_of_its_cell(sweep):
    found = drawn(sweep)
    assert [axis.log for axis in found.descriptors] == [True, True]
    for cell, elite in found.elites:
        row = np.unravel_index(cell, found.archive.shape)[0]
        low, high = found.descriptors[0].edges()[row : row + 2]
        rivals = [t.values[0] for t in sweep.finished if low <= t.facts["parameters"] <= high]
        assert elite.values[0] == pytest.approx(max(rivals), abs=0.2)
        assert found.archive.scores[cell] == elite.values[0]
    best = max(sweep.finished, key=lambda trial: trial.values)
    assert best.number in found.archive.holders


def test_what_is_expected_elsewhere_is_about_what_would_come(sweep):
    expected = drawn(sweep).expected
    errors = [
        abs(expected.values[cell] - true(params["hparams.lr"], params["width"]))
        for cell, params in expected.params.items()
    ]
    assert len(errors) >= 4
    assert np.median(errors) < 0.05


def test_few_trials_make_a_map_without_expectations(write_sweep):
    assert drawn(sized(write_sweep("monday", ("FAILED",)), 3)).expected is None


def test_a_picture_has_both_halves_on_one_scale(sweep, tmp_path):
    figure = heat_map.draw(drawn(sweep), "val_accuracy")
    trained, expected, _ = figure.axes
    assert trained.collections[0].norm.vmax == expected.collections[0].norm.vmax
    assert trained.get_xlabel() == "parameters"
    assert trained.get_xscale() == "log"
    assert len(trained.texts) == len(drawn(sweep).elites)
    figure.savefig(tmp_path / "map.svg")


def test_one_axis_is_a_line_of_cells(sweep):
    found = atlas.of(sweep, [axes.spanning(sweep, "parameters", 5)])
    assert found.archive.shape == (5,)
    heat_map.draw(found, "val_accuracy")


def test_what_no_trial_told_is_named_with_what_they_did(sweep):
    with pytest.raises(ConfigError, match=r"tells latency_ms. It has epochs, mflops, parameters"):
        atlas.of(sweep, [axes.spanning(sweep, "latency_ms", 4)])

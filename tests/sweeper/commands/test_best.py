import pytest

from ..ranking.test_atlas import sized


@pytest.fixture
def sweep(write_sweep):
    return sized(write_sweep("monday", ("FAILED",)), 30)


@pytest.fixture
def typed(command):
    def run(*words):
        code, said = command("best", *words)
        return code, said.out or said.err

    return run


def test_without_budgets_it_is_the_first_of_the_leaderboard(sweep, typed):
    code, said = typed()
    assert not code
    assert said.startswith(f"Trial {sweep.best.number} of monday: val_accuracy ")
    assert "not confirmed: python -m sweeper confirm --sweep monday --trials " in said


def test_it_is_the_best_of_those_that_keep_to_all_budgets(sweep, typed):
    code, said = typed("--max", "parameters=50000", "mflops=3")
    assert not code
    cheap = [trial for trial in sweep.finished if trial.facts["parameters"] <= 50000 and trial.facts["mflops"] <= 3]
    best = max(cheap, key=lambda trial: trial.values)
    assert said.startswith(f"Trial {best.number} of monday: ")
    assert f"parameters {best.facts['parameters']:g} of 50000" in said


def test_a_network_that_was_kept_is_told_with_its_export_and_another_with_its_training(sweep, typed):
    assert "To train it again: train" in typed()[1]
    sweep.best.folder.mkdir(parents=True, exist_ok=True)
    sweep.best.model.touch()
    assert f"python -m sweeper export monday/{sweep.best.number}" in typed()[1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--max", "parameters=10"], "keeps to parameters <= 10. The least parameters is 1"),
        (["--max", "latency_ms=1"], "No trial tells latency_ms; they tell epochs, mflops, parameters."),
        (["--max", "parameters"], "--max parameters: give a fact and a number"),
        (["--max", "parameters=few"], "--max parameters=few: give a fact and a number"),
        (["--sweep", "tuesday"], "No sweep is called tuesday"),
    ],
)
def test_what_cannot_be_answered_is_said(words, told, sweep, typed):
    code, said = typed(*words)
    assert code == 2
    assert told in said

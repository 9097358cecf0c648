import csv
import math
from pathlib import Path

import optuna
import pytest
import yaml
from omegaconf import OmegaConf
from optuna.storages.journal import JournalFileBackend

from sweeper.errors import ConfigError
from sweeper.records import journal, record
from sweeper.search import constraints
from sweeper.search.constraints import Constraint, gaps, parse

X = "x=interval(-1, 1)"


@pytest.mark.parametrize(
    ("line", "parsed"),
    [
        ("parameters <= 310000", Constraint("parameters", "<=", 310000)),
        ("val_loss<1.2", Constraint("val_loss", "<", 1.2)),
        ("  trial/mflops >= 3e-1 ", Constraint("trial/mflops", ">=", 0.3)),
        ("x > -1", Constraint("x", ">", -1)),
    ],
)
def test_a_constraint_is_a_name_an_operator_and_a_number(line, parsed):
    assert parse([line]) == parse(line) == (parsed,)


def test_none_are_no_constraints():
    assert parse(None) == ()
    assert parse(OmegaConf.create(["a < 1", "b > 2"])) == (Constraint("a", "<", 1), Constraint("b", ">", 2))


@pytest.mark.parametrize(
    "line",
    ["parameters", "parameters = 3", "3 <= parameters", "a < b", "a < nan", "a < inf", "a < 1 < 2", "", 7, "a b < 1"],
)
def test_nonsense_is_refused_with_an_example(line):
    with pytest.raises(ConfigError, match=r"hydra.sweeper.constraints: .* is no constraint. Give a name"):
        parse([line])


@pytest.mark.parametrize("lines", [7, {"parameters": 3}])
def test_what_is_no_list_is_refused(lines):
    with pytest.raises(ConfigError, match="is no constraint"):
        parse(lines)


@pytest.mark.parametrize(
    ("line", "told", "gap"),
    [("a <= 2", 5, 3), ("a <= 2", 2, 0), ("a <= 2", 1, -1), ("a >= 2", 5, -3), ("a >= 2", 1, 1), ("a > 2", 1.5, 0.5)],
)
def test_the_gap_is_how_far_a_value_is_beyond_the_bound(line, told, gap):
    assert gaps(parse(line), {"a": told}, None) == {line: gap}


@pytest.mark.parametrize("line", ["a < 2", "a > 2"])
def test_the_bound_itself_misses_a_strict_constraint(line):
    assert 0 < gaps(parse(line), {"a": 2}, None)[line] < 1e-9


@pytest.mark.parametrize("facts", [{}, {"a": "many"}, {"a": math.nan}, {"a": None}])
def test_what_is_no_number_misses_by_infinity(facts):
    assert gaps(parse("a < 2"), facts, None) == {"a < 2": math.inf}


def test_what_a_task_returned_has_a_name_too():
    assert gaps(parse("value < 2"), {}, (5.0,)) == {"value < 2": 3}
    assert gaps(parse("value_1 < 2"), {}, (5.0, 6.0)) == {"value_1 < 2": 4}


def test_the_reason_says_what_is_missed_by_how_much_and_which_names_there_are():
    missed = {"a <= 2": 3.0, "speed < 1": math.inf}
    assert constraints.reason(missed, {"a": 5, "model": "custom", "b": 0.5}) == (
        "misses a <= 2 by 3; misses speed < 1: it told no number of that name, but a, b"
    )
    assert constraints.reason({}, {"a": 1}) is None


def study():
    storage = optuna.storages.JournalStorage(JournalFileBackend("sweep/study.journal"))
    return optuna.load_study(study_name="sweep", storage=storage)


@pytest.mark.parametrize("sampler", ["tpe", "nsgaii"])
def test_feasible_trials_come_before_better_ones_everywhere(light, sampler):
    code, output = light(
        X, "hydra.sweeper.constraints=['height <= 0.9']", f"hydra/sweeper/sampler={sampler}", "epochs=1"
    )
    assert code == 0, output
    sweep = record.read(Path("sweep"))
    heights = {trial.number: trial.values[0] for trial in sweep.trials}
    over = {number for number, height in heights.items() if height > 0.9}
    assert 0 < len(over) < 8  # by the seed
    assert {trial.number for trial in sweep.trials if trial.missed} == over
    for number in over:
        assert sweep.trials[number].reason == f"misses height <= 0.9 by {heights[number] - 0.9:.6g}"

    best = max((height for number, height in heights.items() if number not in over))
    assert sweep.best.values[0] == best
    assert sweep.ended.best == sweep.best.number
    assert yaml.safe_load(Path("sweep/optimization_results.yaml").read_text())["best_value"] == best
    with open("sweep/leaderboard.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["feasible"] for row in rows] == ["True"] * (8 - len(over)) + ["False"] * len(over)
    assert [row["rank"] for row in rows[-len(over) :]] == [""] * len(over)
    assert study().best_value == best  # Optuna knows them too
    assert f"{len(over)} infeasible" in output


def test_a_name_that_no_trial_tells_leaves_none_feasible_and_says_which_names_there_are(light):
    code, output = light(X, "hydra.sweeper.constraints=['hight <= 0.9']", "epochs=1", "hydra.sweeper.n_trials=3")
    assert code == 0, output
    assert "No trial meets the constraints" in output
    assert "misses hight <= 0.9: it told no number of that name, but height" in output
    assert all(trial.missed == {"hight <= 0.9": math.inf} for trial in record.read(Path("sweep")).trials)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["hydra.sweeper.constraints=['height = 3']"], "height = 3 is no constraint"),
        (["hydra.sweeper.constraints=['a < 3']", "hydra/sweeper/sampler=random"], "RandomSampler learns nothing from"),
        (["hydra.sweeper.reuse_duplicates=7"], "hydra.sweeper.reuse_duplicates=7: give true or false"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_the_first_trial(light, arguments, complaint):
    code, output = light(X, *arguments)
    assert code == 2
    assert complaint in output
    assert not Path("sweep", journal.NAME).exists()

"""The benchmark of maps, tiny: who searches, what is printed and drawn, and that the table is of real trainings."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def modules(monkeypatch):
    """Those of benchmarks, which import each other as scripts do."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def illuminate(folder, *arguments):
    command = [sys.executable, str(BENCHMARKS / "illuminate.py"), "--seeds", "1", "--processes", "1", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=300).stdout


def test_it_tells_draws_and_measures_nothing_twice(tmp_path):
    common = ["--problems", "digits", "--evaluations", "22", "--record", "record.jsonl"]
    first = illuminate(tmp_path, *common, "--names", "SAIL", "random", "--out", "maps.png")
    assert "digits: prediction maps" in first
    assert "against the best peer, random; goal +0.15" in first
    assert (tmp_path / "maps.png").read_bytes().startswith(b"\x89PNG")
    again = illuminate(tmp_path, *common, "--names", "SAIL", "random", "Sobol, then the surrogate")
    assert "digits Sobol, then the surrogate 0" in again.splitlines()
    assert "digits SAIL 0" not in again.splitlines()
    assert len((tmp_path / "record.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize("name", ["SAIL, descriptors learned", "SAIL, cells by Sobol", "TPE", "NSGA-II"])
def test_everybody_searches_dimensions_that_do_not_always_exist(name, modules):
    import problems
    import seekers

    done = seekers.search(name, problems.network(), 0, 26, [26])
    assert len(done.values) == len(done.cells) == len(done.seconds) == 26
    assert 0 < min(done.values) < max(done.values) < 1
    assert len(set(done.cells)) > 5
    assert (26 in done.predictions) == ("SAIL" in name)


def test_evolution_by_pyribs_searches_them_too(modules):
    pytest.importorskip("ribs")
    import problems
    import seekers

    for name in seekers.RIBS:
        done = seekers.search(name, problems.network(), 0, 64, [])
        assert len(done.values) == 64
        assert len(set(done.cells)) > 5


def test_the_table_holds_what_a_training_gives(modules):
    import perceptron

    table, train_and_validation = perceptron.table(), perceptron.digits()
    grid = perceptron.GRID
    assert table.size == 42_768
    for optimizer, activation, width, depth in [("adam", "relu", 4, 1), ("momentum", "tanh", 8, 2)]:
        right = perceptron.right(
            *train_and_validation,
            optimizer=optimizer,
            activation=activation,
            log10_lr=grid["log10_lr"][4],
            width=grid["width"][width],
            depth=depth,
            dropout=0.2,
        )
        places = (grid["optimizer"].index(optimizer), grid["activation"].index(activation), 4, width, depth - 1, 1)
        assert [count / 597 for count in right] == pytest.approx(table[places].tolist(), abs=0.03)  # as cores round


def test_a_map_that_is_the_reference_has_all_of_its_quality(modules):
    import maps
    import problems

    problem = problems.digits()
    known = problem.reference()
    course = maps.course(known.scores[known.filled].tolist(), known.filled.tolist(), maps.Reference.of(problem))
    assert course.quality[-1] == pytest.approx(1)
    assert course.coverage[-1] == 1
    assert course.quality[0] < 0.1
    assert course.evaluations_to(course.quality[9]) == 10

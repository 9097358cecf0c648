import numpy as np

from sweeper.sail.archive import Archive
from sweeper.sail.descriptor import Descriptor

EMPTY = Archive.empty([Descriptor("size", 0, 3, bins=3), Descriptor("time", 0, 2, bins=2)])


def of(*candidates):
    scores, cells = map(np.array, zip(*candidates, strict=True))
    return EMPTY.added(scores.astype(float), cells, np.arange(len(candidates)))


def test_a_cell_keeps_its_best_and_what_is_beyond_the_map_nobody():
    archive = of((0.5, 1), (0.9, 1), (0.7, 1), (0.2, 4), (1.0, -1))
    assert archive.filled.tolist() == [1, 4]
    assert archive.holders.tolist() == [-1, 1, -1, -1, 3, -1]
    assert archive.coverage == 2 / 6
    assert np.isclose(archive.qd_score(floor=0.1), 0.8 + 0.1)


def test_a_worse_one_that_comes_later_does_not_replace_an_elite():
    archive = of((0.9, 1)).added(np.array([0.5, 0.3]), np.array([1, 2]), np.array([7, 8]))
    assert archive.holders.tolist() == [-1, 0, 8, -1, -1, -1]


def test_nested_the_best_within_budgets_holds_all_larger_cells():
    nested = of((0.5, 0), (0.9, 2), (0.7, 5)).nested()
    assert nested.holders.tolist() == [0, 0, 1, 1, 1, 1]  # rows: sizes, columns: times

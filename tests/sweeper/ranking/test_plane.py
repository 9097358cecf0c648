import numpy as np
import pytest

from sweeper.ranking import plane

NAN = np.nan


@pytest.mark.parametrize(
    ("values", "shape", "rising", "cells"),
    [
        ([1, NAN, 3], (3,), True, [[0], [-1], [2]]),
        ([1, 2, NAN, 4], (2, 2), True, [[0, 1], [-1, 3]]),
        ([1, 2, NAN, NAN, 5, 4, NAN, 8], (2, 2, 2), True, [[1, -1], [4, 7]]),
        ([1, 2, NAN, NAN, 5, 4, NAN, 8], (2, 2, 2), False, [[0, -1], [5, 7]]),
    ],
)
def test_from_above_the_best_along_further_axes_is_seen(values, shape, rising, cells):
    values = np.array(values, float)
    found = plane.cells(values, shape, rising)
    assert found.tolist() == cells
    assert np.array_equal(plane.seen(values, found) >= 0, found >= 0)


def test_one_bad_cell_does_not_take_all_the_colours():
    good = np.linspace(0.8, 0.9, 99)
    low, high = plane.limits([np.array([0.0, NAN]), good], True)
    assert (low > 0.75, high) == (True, pytest.approx(0.9))
    low, high = plane.limits([np.array([9.0, NAN]), good], False)
    assert (low, high < 0.95) == (pytest.approx(0.8), True)

import math
import random

import pytest

from sweeper.records.pareto import Point, crowding, ranks


def peeled(points):
    """Ranks by the definition: a front is what nobody left dominates."""
    left, rank, found = set(points), 0, {}
    while left:
        rank += 1
        front = {
            point
            for point in left
            if not any(all(a <= b for a, b in zip(other, point, strict=True)) for other in left - {point})
        }
        found |= dict.fromkeys(front, rank)
        left -= front
    return [found[point] for point in points]


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_ranks_are_those_of_fronts_peeled_off_one_by_one(objectives):
    drawn = random.Random(objectives)
    points = [tuple(drawn.randrange(8) for _ in range(objectives)) for _ in range(150)]
    assert ranks([Point(point) for point in points]) == peeled(points)


def test_what_misses_a_constraint_comes_after_all_that_miss_none():
    points = [
        Point((0.0, 0.0), 0.5),
        Point((9.0, 9.0)),
        Point((1.0, 1.0)),
        Point((5.0, 5.0), 0.1),
        Point((0.0, 0.0), 0.5),
    ]
    assert ranks(points) == [4, 2, 1, 3, 4]


def test_no_points_have_no_ranks():
    assert ranks([]) == []
    assert crowding([]) == []


def test_the_ends_of_a_front_are_loneliest_then_those_between_far_neighbours():
    front = [(0.0, 10.0), (1.0, 9.0), (2.0, 8.0), (9.0, 1.0), (10.0, 0.0)]
    distances = crowding(front)
    assert distances[0] == distances[-1] == math.inf
    assert distances[1:-1] == pytest.approx([0.4, 1.6, 1.6])


def test_equal_points_are_crowded():
    assert crowding([(1.0,), (1.0,), (1.0,)]) == [0, 0, 0]

import numpy as np
import pytest

from sweeper import drawing
from sweeper.ranking import front
from sweeper.ranking.front import Outcome


def outcomes(objectives, count=6):
    values = np.random.default_rng(0).uniform(size=(count, objectives))
    return [Outcome(number, tuple(row), number % 3 == 0, number % 3 != 1) for number, row in enumerate(values)]


@pytest.mark.parametrize(("count", "panels"), [(2, 1), (3, 3), (4, 6)])
def test_the_picture_has_a_panel_for_each_pair_with_every_trials_number(count, panels, tmp_path):
    names = [f"metric{number}" for number in range(count)]
    figure = front.draw(outcomes(count), names, ["maximize"] * count)
    shown = [axis for axis in figure.axes if axis.axison]
    assert len(shown) == panels
    assert len({(axis.get_xlabel(), axis.get_ylabel()) for axis in shown}) == panels
    for axis in shown:
        assert {text.get_text() for text in axis.texts} == {str(number) for number in range(6)}
    drawing.save(figure, tmp_path / "pareto.png")


def test_the_picture_leaves_out_what_is_not_finite():
    odd = [Outcome(7, (float("nan"), 1.0), False), Outcome(8, (float("inf"), 1.0), True)]
    (axis,) = front.draw([*outcomes(2), *odd], ["a", "b"], ["maximize", "minimize"]).axes
    assert not {"7", "8"} & {text.get_text() for text in axis.texts}


@pytest.mark.parametrize(
    ("directions", "points", "border"),
    [
        (("maximize", "minimize"), [(0.5, 1.0), (0.9, 3.0)], (2.0, 0.5)),
        (("maximize", "maximize"), [(0.9, 1.0), (0.5, 3.0)], (2.0, 0.5)),
        (("minimize", "minimize"), [(0.9, 1.0), (0.5, 3.0)], (2.0, 0.9)),
    ],
)
def test_the_line_of_the_front_bounds_what_it_reaches(directions, points, border):
    """Halfway between two trials the better one that is reached there."""
    (axis,) = front.draw([Outcome(n, values, True) for n, values in enumerate(points)], ["a", "b"], directions).axes
    (line,) = axis.lines
    xs, ys = line.get_data()
    step = ys[0] if line.get_drawstyle() == "steps-post" else ys[1]
    assert (np.mean(xs), step) == border

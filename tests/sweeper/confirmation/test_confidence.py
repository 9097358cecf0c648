"""Intervals and tests against values calculated by hand, and where there is nothing to calculate."""

import pytest
from scipy import stats

from sweeper.confirmation.confidence import compare, estimate, holm


def test_the_interval_is_students():
    """The table says 4.302653 for two degrees of freedom."""
    found = estimate([1.0, 2.0, 3.0])
    assert (found.mean, found.count) == (2.0, 3)
    assert found.margin == pytest.approx(4.302653 / 3**0.5, rel=1e-6)
    assert (found.low, found.high) == pytest.approx((2 - found.margin, 2 + found.margin))


def test_equal_values_have_an_interval_of_no_width():
    found = estimate([0.5, 0.5, 0.5])
    assert (found.low, found.mean, found.high) == (0.5, 0.5, 0.5)


def test_the_comparison_is_of_pairs():
    """Differences 1, 2, 3: t is 2 * 3 ** 0.5 with two degrees of freedom, p = 1 - t / (t ** 2 + 2) ** 0.5."""
    first, second = [11.0, 52.0, 33.0], [10.0, 50.0, 30.0]
    found = compare(first, second)
    t = 2 * 3**0.5
    assert found.difference == estimate([1.0, 2.0, 3.0])
    assert found.p == pytest.approx(1 - t / (t**2 + 2) ** 0.5)
    assert found.p < stats.ttest_ind(first, second).pvalue / 5  # what the pairs have in common counts for nothing


def test_pairs_that_are_level_differ_by_chance_alone():
    assert compare([0.9, 0.8], [0.9, 0.8]).p == 1


def test_pairs_that_all_differ_alike_can_be_judged_by_no_test():
    found = compare([0.9, 0.8, 0.7], [0.8, 0.7, 0.6])
    assert found.p is None
    assert found.difference.mean == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("ps", "corrected"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.04], [0.04]),
        ([0.6, 0.7], [1.0, 1.0]),
        ([None, 0.02, 0.01], [None, 0.02, 0.02]),
        ([], []),
    ],
)
def test_holm_makes_each_p_pay_for_the_other_tests(ps, corrected):
    assert holm(ps) == pytest.approx(corrected)

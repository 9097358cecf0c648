import numpy as np

from sweeper.datasets import digits


def test_the_1797_digits_are_split_with_a_fifth_of_each_for_the_test():
    data = digits.load(seed=0)
    sizes = len(data.train), len(data.validation), len(data.test)
    assert sizes == (1151, 287, 359)
    assert data.input_shape == (8, 8, 1)
    everything = np.concatenate([data.train.labels, data.validation.labels, data.test.labels])
    np.testing.assert_array_equal(np.bincount(data.test.labels), np.round(np.bincount(everything) * 0.2))


def test_the_17_levels_of_ink_are_spread_over_a_byte():
    levels = np.unique(digits.load(seed=0).train.images)
    assert len(levels) == 17
    assert (levels[0], levels[8], levels[16]) == (0, 128, 255)


def test_another_seed_draws_another_validation_split():
    assert not np.array_equal(digits.load(seed=0).validation.images, digits.load(seed=1).validation.images)

import numpy as np
import pytest

from sweeper import augment
from sweeper.errors import ConfigError

IMAGES = np.random.default_rng(0).integers(0, 256, (64, 10, 10, 1), np.uint8)


def changed(seed=(1, 2), **keys):
    import tensorflow as tf

    return augment.light(**keys)(tf.constant(IMAGES), tf.constant(seed, tf.int64)).numpy()


def shifts(image, most):
    """All images that shifting by up to `most` pixels can give."""
    padded = np.pad(image, ((most, most), (most, most), (0, 0)), "reflect")
    side = range(2 * most + 1)
    return {padded[row : row + 10, column : column + 10].tobytes() for row in side for column in side}


def test_none_gives_no_function():
    assert augment.none() is None


def test_each_image_is_shifted_on_its_own_and_mirrored_at_the_border():
    images = changed(shift=0.2, flip=False)
    assert all(new.tobytes() in shifts(old, 2) for new, old in zip(images, IMAGES, strict=True))
    assert not all(new.tobytes() in shifts(old, 1) for new, old in zip(images, IMAGES, strict=True))


def test_about_half_the_images_are_flipped():
    images = changed(shift=0.0, flip=True)
    flipped = np.array([np.array_equal(new, old[:, ::-1]) for new, old in zip(images, IMAGES, strict=True)])
    assert np.array_equal(images[~flipped], IMAGES[~flipped])
    assert 20 <= flipped.sum() <= 44


def test_the_seed_decides():
    assert np.array_equal(changed((1, 2)), changed((1, 2)))
    assert not np.array_equal(changed((1, 2)), changed((1, 3)))


@pytest.mark.parametrize("shift", [-0.1, 0.5])
def test_a_shift_that_is_not_part_of_the_image_is_refused(shift):
    with pytest.raises(ConfigError, match=f"augment.shift={shift}"):
        augment.light(shift=shift)

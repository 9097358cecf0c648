import numpy as np
import pytest
import tensorflow as tf

from sweeper.errors import ConfigError
from sweeper.training import augment
from sweeper.training.augment import Batch

COUNT, SIDE = 64, 10
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, SIDE, SIDE, 1), np.uint8)
LABELS = np.eye(4, dtype=np.float32)[np.arange(COUNT) % 4]
NOTHING = {"flip": False, "shift": 0.0, "cutout": 0.0, "mixup": 0.0}


def changed(recipe, seed=(1, 2), epoch=0, images=IMAGES, rows=range(COUNT)):
    """The images and labels that a recipe makes of IMAGES and LABELS."""
    batch = Batch(
        tf.constant(images),
        tf.constant(LABELS),
        tf.constant(list(rows), tf.int64),
        COUNT,
        tf.constant(epoch, tf.int64),
        tf.constant(seed, tf.int64),
        mean=(100.0,),
    )
    return tuple(made.numpy() for made in recipe(batch))


def shifts(image, most):
    """All images that shifting by up to `most` pixels can give."""
    padded = np.pad(image, ((most, most), (most, most), (0, 0)), "reflect")
    side = range(2 * most + 1)
    return {padded[row : row + SIDE, column : column + SIDE].tobytes() for row in side for column in side}


def flipped(images):
    """Which of IMAGES are mirrored in `images`, that are otherwise the same."""
    mirrored = np.array([np.array_equal(new, old[:, ::-1]) for new, old in zip(images, IMAGES, strict=True)])
    np.testing.assert_array_equal(images[~mirrored], IMAGES[~mirrored])
    return mirrored


def test_none_gives_no_function():
    assert augment.none() is None


@pytest.mark.parametrize("recipe", [augment.light, augment.strong])
def test_each_image_is_shifted_on_its_own_and_mirrored_at_the_border(recipe):
    keys = {} if recipe is augment.light else {"cutout": 0.0, "mixup": 0.0}
    images, _ = changed(recipe(shift=0.2, flip=False, **keys))
    assert all(new.tobytes() in shifts(old, 2) for new, old in zip(images, IMAGES, strict=True))
    assert not all(new.tobytes() in shifts(old, 1) for new, old in zip(images, IMAGES, strict=True))


@pytest.mark.parametrize("recipe", [augment.light(shift=0.0), augment.notes(rotation=0.0, shift=0.0)])
def test_about_half_the_images_are_flipped(recipe):
    images, _ = changed(recipe)
    assert 20 <= flipped(np.rint(images)).sum() <= 44


def test_strong_flips_each_image_in_every_second_epoch():
    recipe = augment.strong(**NOTHING | {"flip": True})
    epochs = [flipped(changed(recipe, seed=(1, epoch), epoch=epoch)[0]) for epoch in range(4)]
    assert 20 <= epochs[0].sum() <= 44
    np.testing.assert_array_equal(epochs[1], ~epochs[0])
    np.testing.assert_array_equal(epochs[2], epochs[0])
    assert not np.array_equal(flipped(changed(recipe, seed=(2, 0))[0]), epochs[0])


def test_a_flip_belongs_to_the_row_and_not_to_its_place_in_a_batch():
    recipe = augment.strong(**NOTHING | {"flip": True})
    here = flipped(changed(recipe)[0])
    turned, _ = changed(recipe, images=IMAGES[::-1], rows=reversed(range(COUNT)))
    np.testing.assert_array_equal(flipped(turned[::-1]), here)


def test_a_turn_by_degrees_keeps_the_centre_and_the_distance_from_it():
    """A dot right of the centre: an arc of 30 degrees to either side, at the same radius."""
    images = np.zeros((COUNT, 41, 41, 1), np.uint8)
    images[:, 19:22, 34:37] = 255
    turned, _ = changed(augment.notes(rotation=30.0, shift=0.0, flip=False), images=images)
    y, x = np.mgrid[:41, :41] - 20
    weights = turned[..., 0] / turned.sum(axis=(1, 2, 3))[:, None, None]
    down, right = (weights * y).sum(axis=(1, 2)), (weights * x).sum(axis=(1, 2))
    angles = np.degrees(np.arctan2(down, right))
    np.testing.assert_allclose(np.hypot(down, right), 15, atol=0.3)
    assert np.abs(angles).max() == pytest.approx(30, abs=4)
    assert angles.min() < -15 < 15 < angles.max()


def test_zoom_changes_the_size_to_either_side():
    images = np.zeros((COUNT, 41, 41, 1), np.uint8)
    images[:, 15:26, 15:26] = 255
    zoomed, _ = changed(augment.strong(**NOTHING, zoom=0.2), images=images)
    sides = np.sqrt(zoomed.sum(axis=(1, 2, 3)) / 255) / 11
    assert 0.78 < sides.min() < 0.9 < 1.1 < sides.max() < 1.22


def test_notes_shift_by_a_tenth_and_repeat_the_border():
    columns = np.broadcast_to(np.arange(20, dtype=np.uint8).reshape(1, 1, 20, 1) * 10, (COUNT, 20, 20, 1))
    shifted, _ = changed(augment.notes(rotation=0.0, shift=0.1, flip=False), images=columns)
    offsets = shifted[:, 10, 10, 0] / 10 - 10
    assert -2 <= offsets.min() < -1 < 1 < offsets.max() <= 2
    assert shifted.min() == 0
    assert shifted.max() == 190


def test_cutout_paints_one_square_with_the_mean():
    images, _ = changed(augment.strong(**NOTHING | {"cutout": 0.3}), images=np.full_like(IMAGES, 7))
    painted = images[..., 0] == 100
    assert set(np.unique(images)) == {7, 100}
    assert {4, 6, 9} <= set(painted.sum(axis=(1, 2))) <= {1, 2, 3, 4, 6, 9}  # 3 x 3, less at the border
    assert painted.any(axis=(1, 2)).all()
    assert painted.any(axis=0).mean() > 0.9  # anywhere


def test_mixup_blends_images_and_labels_in_the_same_shares():
    """Images that hold their label's number tell the share that they were blended in."""
    images = np.broadcast_to(LABELS[:, :1, None, None] * 200, IMAGES.shape).astype(np.uint8)
    mixed, labels = changed(augment.strong(**NOTHING | {"mixup": 1.0}), images=images)
    np.testing.assert_allclose(mixed[:, 0, 0, 0] / 200, labels[:, 0], atol=1e-6)
    np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(labels.argmax(axis=1), LABELS.argmax(axis=1))
    assert 0.6 < labels.max(axis=1).mean() < 0.9  # uniform from 0.5 to 1


RECIPES = {
    "notes": augment.notes(),
    "light": augment.light(),
    "strong": augment.strong(rotation=10.0, zoom=0.1),
}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_the_seed_decides(recipe):
    images, _ = changed(recipe)
    assert images.shape == IMAGES.shape
    assert 0 <= images.min() <= images.max() <= 255
    assert np.array_equal(images, changed(recipe)[0])
    assert not np.array_equal(images, changed(recipe, seed=(1, 3))[0])


@pytest.mark.parametrize(
    ("recipe", "key", "value"),
    [
        (augment.light, "shift", -0.1),
        (augment.light, "shift", 0.5),
        (augment.notes, "rotation", 180),
        (augment.notes, "shift", None),
        (augment.strong, "zoom", 1),
        (augment.strong, "cutout", True),
        (augment.strong, "mixup", -1),
    ],
)
def test_a_value_out_of_its_range_is_refused(recipe, key, value):
    with pytest.raises(ConfigError, match=f"augment.{key}={value}"):
        recipe(**{key: value})

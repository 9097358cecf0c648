import numpy as np
import pytest

from sweeper.data import Split, assemble, existing, resize
from sweeper.errors import DataError

CLASSES = ("a", "b")


def make(count, labels=None, seed=0):
    """`count` images that all differ; three quarters of class 0 unless given."""
    images = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3), np.uint8)
    return Split(images, np.repeat([0, 1], [count * 3 // 4, count - count * 3 // 4]) if labels is None else labels)


def rows(split):
    return {image.tobytes() for image in split.images}


def test_a_fraction_takes_the_same_share_of_each_class():
    data = assemble(make(400), 0.25, CLASSES, seed=0, validation=0.2)
    assert np.bincount(data.test.labels).tolist() == [75, 25]
    assert np.bincount(data.validation.labels).tolist() == [45, 15]
    assert np.bincount(data.train.labels).tolist() == [180, 60]


def test_a_distribution_counts_for_its_most_likely_class():
    votes = np.tile(np.array([[0.6, 0.3, 0.1], [0.3, 0.6, 0.1], [0.5, 0.4, 0.1], [0.8, 0.2, 0]], np.float32), (100, 1))
    data = assemble(make(400, votes), 0.25, ("a", "b", "c"), seed=0, validation=0.2)
    assert np.bincount(data.test.labels.argmax(axis=1)).tolist() == [75, 25]


def test_classes_named_by_numbers_are_text():
    assert assemble(make(400), 0.25, (3, 8), seed=0, validation=0.2).classes == ("3", "8")


def test_every_image_lands_in_exactly_one_split():
    everything = make(400)
    data = assemble(everything, 0.25, CLASSES, seed=0, validation=0.2)
    parts = [rows(split) for split in (data.train, data.validation, data.test)]
    assert [len(part) for part in parts] == [240, 60, 100]
    assert set.union(*parts) == rows(everything)


def test_the_seed_draws_validation_and_never_test():
    first, second = (assemble(make(400), 0.25, CLASSES, seed=seed, validation=0.2) for seed in (0, 1))
    assert rows(first.validation) != rows(second.validation)
    assert rows(first.test) == rows(second.test)


def test_splits_that_are_given_stay_as_they_are():
    train, validation, test = make(40, seed=1), make(20, seed=2), make(10, seed=3)
    data = assemble(train, test, CLASSES, seed=5, validation=validation)
    assert (data.train, data.validation, data.test) == (train, validation, test)


def test_a_smaller_train_size_is_a_part_of_a_larger_and_shrinks_validation_too():
    small, large = (assemble(make(400), 0.25, CLASSES, seed=7, validation=0.2, train_size=n) for n in (24, 120))
    assert (len(small.train), len(small.validation), len(small.test)) == (24, 6, 100)
    assert (len(large.train), len(large.validation), len(large.test)) == (120, 30, 100)
    assert rows(small.train) < rows(large.train)
    assert rows(small.validation) < rows(large.validation)


def test_images_and_labels_stay_together():
    train = make(400)
    label_of = {image.tobytes(): label for image, label in zip(train.images, train.labels, strict=True)}
    data = assemble(train, 0.25, CLASSES, seed=0, validation=0.2, train_size=100)
    for split in (data.train, data.validation, data.test):
        assert [label_of[image.tobytes()] for image in split.images] == split.labels.tolist()


def test_statistics_are_exact_over_more_images_than_are_counted_at_once():
    images = np.random.default_rng(0).integers(0, 200, (2500, 4, 4, 3), np.uint8)
    images[..., 1] //= 2
    data = assemble(Split(images, np.arange(2500) % 2), make(10), CLASSES, seed=0, validation=make(10))
    np.testing.assert_allclose(data.mean, images.mean(axis=(0, 1, 2)), rtol=1e-9)
    np.testing.assert_allclose(data.std, images.std(axis=(0, 1, 2)), rtol=1e-9)


def test_a_flat_channel_has_a_deviation_that_can_be_divided_by():
    train = make(40)
    train.images[..., 2] = 17
    data = assemble(train, make(10), CLASSES, seed=0, validation=make(10))
    assert (data.mean[2], data.std[2]) == (17, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"validation": 0}, "dataset.validation=0: .* between 0 and 1"),
        ({"validation": 1.0}, "dataset.validation=1.0: .* between 0 and 1"),
        ({"validation": 0.2, "test": -0.1}, "dataset.test=-0.1: .* between 0 and 1"),
        ({"validation": 0.2, "train_size": 0}, "dataset.train_size=0: there are 240 training images. Give 1 to 240"),
        ({"validation": 0.2, "train_size": 241}, "dataset.train_size=241: there are 240 training images"),
        ({"validation": 0.001}, "The validation split is empty: {'training': 300, 'validation': 0, 'test': 100}"),
    ],
)
def test_what_cannot_be_split_is_refused_with_the_numbers(arguments, message):
    with pytest.raises(DataError, match=message):
        assemble(make(400), **{"test": 0.25, "classes": CLASSES, "seed": 0} | arguments)


def test_a_missing_path_is_named_with_its_key_and_in_full(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=f"dataset.path=data/flowers: {tmp_path}/data/flowers does not exist"):
        existing("data/flowers", "dataset.path")


@pytest.mark.parametrize("channels", [(), (3,)])
def test_resize_averages_on_the_way_down(channels):
    checkers = np.zeros((8, 8, *channels), np.uint8)
    checkers[::2, ::2] = checkers[1::2, 1::2] = 200
    assert (resize(checkers, 4, 4) == 100).all()


def test_resize_keeps_height_before_width_and_an_image_that_fits():
    image = np.arange(24, dtype=np.uint8).reshape(4, 6)
    assert resize(image, 8, 20).shape == (8, 20)
    assert resize(image, 4, 6) is image

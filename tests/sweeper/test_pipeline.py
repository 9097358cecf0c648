import numpy as np
import pytest

from sweeper import pipeline
from sweeper.augment import light
from sweeper.data import Dataset, Split

COUNT = 50


def dataset(labels=None):
    """Each image is full of its own row number, so that a batch tells which rows it holds."""
    images = np.broadcast_to(np.arange(COUNT, dtype=np.uint8).reshape(-1, 1, 1, 1), (COUNT, 4, 4, 2)).copy()
    split = Split(images, np.arange(COUNT) if labels is None else labels)
    return Dataset(split, split, split, ("a", "b"), mean=(10.0, 20.0), std=(2.0, 5.0))


def training(batch_size=20, augment=None, seed=0, data=None):
    return pipeline.training(data or dataset(), batch_size, augment, seed)


def rows(batches):
    return [labels.numpy().tolist() for _, labels in batches]


def test_an_epoch_holds_full_batches_of_different_rows():
    batches = rows(training(20))
    assert [len(batch) for batch in batches] == [20, 20]
    assert len({row for batch in batches for row in batch}) == 40


def test_epochs_differ_and_the_seed_decides_them():
    train = training(seed=3)
    epochs = [rows(train), rows(train)]
    again = training(seed=3)
    assert epochs[0] != epochs[1]
    assert epochs == [rows(again), rows(again)]
    assert rows(training(seed=4)) != epochs[0]


def test_a_batch_is_no_larger_than_the_data_set():
    assert [len(batch) for batch in rows(training(1000))] == [COUNT]


def test_the_steps_of_an_epoch_are_known():
    assert len(training(20)) == 2


def test_images_follow_their_labels_z_scored_by_channel():
    images, labels = next(iter(training()))
    expected = np.stack([(labels - 10) / 2, (labels - 20) / 5], axis=-1).reshape(20, 1, 1, 2)
    assert images.dtype == "float32"
    np.testing.assert_allclose(images, np.broadcast_to(expected, images.shape), rtol=1e-6)


def test_distributions_stay_distributions():
    shares = np.random.default_rng(0).dirichlet([1, 1], COUNT).astype(np.float32)
    images, labels = next(iter(training(data=dataset(shares))))
    numbers = np.rint(images[:, 0, 0, 0] * 2 + 10).astype(int)
    np.testing.assert_array_equal(labels, shares[numbers])


def test_each_epoch_is_augmented_anew_and_the_seed_decides_how():
    noise = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 2), np.uint8).repeat(COUNT, axis=0)
    split = Split(noise, np.arange(COUNT))
    data = Dataset(split, split, split, ("a", "b"), mean=(0.0, 0.0), std=(1.0, 1.0))
    train, again = training(50, light(), data=data), training(50, light(), data=data)
    first, second = (next(iter(train))[0].numpy() for _ in range(2))
    assert not np.array_equal(first, second)
    assert np.array_equal(first, next(iter(again))[0])


@pytest.mark.parametrize("batch_size", [20, 1000])
def test_evaluation_gives_every_row_once_in_order(batch_size):
    data = dataset()
    batches = pipeline.evaluation(data.validation, data.mean, data.std, batch_size)
    assert [row for batch in rows(batches) for row in batch] == list(range(COUNT))

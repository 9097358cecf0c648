import itertools
from dataclasses import replace

import numpy as np
import pytest

from sweeper.data import Dataset, Split
from sweeper.training import pipeline
from sweeper.training.augment import light, strong

COUNT = 50
CLASSES = tuple("abcde")


def dataset(labels=None):
    """Each image is full of its own row number, so that a batch tells which rows it holds. Row 7 is of class 7 % 5."""
    images = np.broadcast_to(np.arange(COUNT, dtype=np.uint8).reshape(-1, 1, 1, 1), (COUNT, 4, 4, 2)).copy()
    split = Split(images, np.arange(COUNT) % len(CLASSES) if labels is None else labels)
    return Dataset(split, split, split, CLASSES, mean=(10.0, 20.0), std=(2.0, 5.0))


def training(batch_size=20, augment=None, seed=0, data=None, **keys):
    return pipeline.training(data or dataset(), batch_size, augment, seed, **keys)


def rows(batches):
    return [np.rint(images[:, 0, 0, 0].numpy() * 2 + 10).astype(int).tolist() for images, *_ in batches]


def epochs(batches, count, steps=2):
    taken = rows(batches.take(count * steps))
    return [taken[first : first + steps] for first in range(0, len(taken), steps)]


def test_an_epoch_holds_full_batches_of_different_rows():
    (batches,) = epochs(training(20), 1)
    assert [len(batch) for batch in batches] == [20, 20]
    assert len({row for batch in batches for row in batch}) == 40


def test_epochs_differ_and_the_seed_decides_them():
    two = epochs(training(seed=3), 2)
    assert two[0] != two[1]
    assert two == epochs(training(seed=3), 2)
    assert epochs(training(seed=4), 2) != two


def test_every_row_gets_its_turn():
    assert {row for batches in epochs(training(), 10) for batch in batches for row in batch} == set(range(COUNT))


def test_a_batch_depends_on_its_step_alone():
    whole, rest = training(augment=light()), training(augment=light(), first_step=5)
    for (images, labels), (again, labels_again) in zip(whole.skip(5).take(3), rest.take(3), strict=True):
        np.testing.assert_array_equal(images, again)
        np.testing.assert_array_equal(labels, labels_again)


def test_a_batch_is_no_larger_than_the_data_set():
    assert [len(batch) for batch in rows(training(1000).take(1))] == [COUNT]


@pytest.mark.parametrize(("batch_size", "steps"), [(20, 2), (25, 2), (50, 1), (1000, 1)])
def test_the_steps_of_an_epoch_are_its_full_batches(batch_size, steps):
    assert pipeline.steps(dataset(), batch_size) == steps


def test_images_follow_their_labels_z_scored_by_channel():
    images, labels = next(iter(training()))
    (numbers,) = np.array(rows([(images,)]))
    expected = np.stack([(numbers - 10) / 2, (numbers - 20) / 5], axis=-1).reshape(20, 1, 1, 2)
    assert images.dtype == labels.dtype == "float32"
    np.testing.assert_allclose(images, np.broadcast_to(expected, images.shape), rtol=1e-6)
    np.testing.assert_array_equal(labels, np.eye(5)[numbers % 5])


def shares(count=COUNT):
    return np.random.default_rng(0).dirichlet([1] * 5, count).astype(np.float32)


def test_distributions_stay_distributions():
    images, labels = next(iter(training(data=dataset(shares()))))
    np.testing.assert_array_equal(labels, shares()[rows([(images,)])[0]])


def test_label_smoothing_spreads_its_share_over_all_classes():
    _, labels = next(iter(training(label_smoothing=0.1)))
    np.testing.assert_allclose(np.sort(labels, axis=1), [[0.02] * 4 + [0.92]] * 20, rtol=1e-6)


def test_balanced_weights_give_each_class_the_same_total():
    counts = (25, 15, 7, 3, 0)
    data = dataset(np.repeat(np.arange(5), counts))
    _, labels, weights = next(iter(training(COUNT, data=data, class_weights="balanced", label_smoothing=0.1)))
    classes = labels.numpy().argmax(axis=1)
    totals = [weights.numpy()[classes == number].sum() for number in range(4)]
    np.testing.assert_allclose(totals, COUNT / 5, rtol=1e-6)


def test_balanced_classes_of_distributions_count_the_same():
    batch = next(iter(training(COUNT, data=dataset(shares()), class_weights="balanced")))
    _, labels, weights = (part.numpy() for part in batch)
    np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(weights @ labels, COUNT / 5, rtol=1e-4)


def test_a_blended_image_counts_for_each_of_its_classes_by_that_ones_weight():
    classes = np.repeat(np.arange(5), (25, 15, 6, 3, 1))
    blended = training(COUNT, strong(mixup=1.0), data=dataset(classes))
    balanced = training(COUNT, strong(mixup=1.0), data=dataset(classes), class_weights="balanced")
    (_, plain), (_, labels, weights) = next(iter(blended)), next(iter(balanced))
    ratios = weights.numpy()[:, np.newaxis] * labels / (COUNT / 5 / np.bincount(classes))
    np.testing.assert_allclose(ratios, plain, atol=1e-5)
    assert (np.count_nonzero(plain, axis=1) == 2).any()


def test_drawn_labels_are_one_class_and_new_in_each_epoch():
    data = replace(dataset(shares()), drawn=True)
    taken = list(training(COUNT, data=data).take(2))
    first, second = (
        {row: labels.numpy()[place].argmax() for place, row in enumerate(rows([(images,)])[0])}
        for images, labels in taken
    )
    assert all(np.array_equal(np.sort(labels, axis=1), [[0, 0, 0, 0, 1]] * COUNT) for _, labels in taken)
    assert sum(first[row] != second[row] for row in first) > COUNT / 4


def test_drawn_labels_are_as_frequent_as_their_shares():
    share = np.float32([0.5, 0.3, 0.2, 0, 0])
    data = replace(dataset(np.tile(share, (COUNT, 1))), drawn=True)
    drawn = np.concatenate([labels for _, labels in training(COUNT, data=data).take(80)])
    np.testing.assert_allclose(drawn.mean(axis=0), share, atol=0.03)
    assert drawn[:, 3:].sum() == 0


def test_each_epoch_is_augmented_anew_and_the_seed_decides_how():
    noise = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 2), np.uint8).repeat(COUNT, axis=0)
    split = Split(noise, np.zeros(COUNT, np.int64))
    data = Dataset(split, split, split, ("a", "b"), mean=(0.0, 0.0), std=(1.0, 1.0))
    first, second = (images.numpy() for images, _ in training(50, light(), data=data).take(2))
    assert not np.array_equal(first, second)
    again, _ = next(iter(training(50, light(), data=data)))
    assert np.array_equal(first, again)


def test_images_are_read_where_they_lie(tmp_path):
    """A memory map that has no copy: what is written to the file later is seen."""
    file = tmp_path / "images.npy"
    np.save(file, dataset().train.images)
    mapped = np.load(file, mmap_mode="r+")
    split = Split(mapped, np.arange(COUNT) % 5)
    batches = training(COUNT, data=replace(dataset(), train=split))
    mapped[:] = 30
    assert set(itertools.chain(*rows(batches.take(1)))) == {30}


@pytest.mark.parametrize("batch_size", [20, 1000])
def test_evaluation_gives_every_row_once_in_order(batch_size):
    batches = pipeline.evaluation(dataset().validation, dataset(), batch_size)
    assert [row for batch in rows(batches) for row in batch] == list(range(COUNT))
    labels = np.concatenate([labels for _, labels in batches])
    np.testing.assert_array_equal(labels, np.eye(5)[np.arange(COUNT) % 5])


def test_no_iterator_waits_for_an_autotuner_when_a_training_ends():
    """It slept for 2 s at the end of a training of 3 s, for up to a minute after longer ones."""
    for batches in (training(), pipeline.evaluation(dataset().validation, dataset(), 20)):
        assert batches.options().autotune.enabled is False

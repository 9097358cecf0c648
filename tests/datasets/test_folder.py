import shutil

import cv2
import numpy as np
import pytest

from sweeper.datasets import folder
from sweeper.errors import DataError


@pytest.fixture
def split_folder(image_folder, tmp_path):
    """train/ with 30 images a class, test/ with 10."""
    root = tmp_path / "split"
    for file in image_folder.rglob("*.png"):
        target = root / ("train" if int(file.stem) < 30 else "test") / file.parent.name / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    return root


def sizes(data):
    return len(data.train), len(data.validation), len(data.test)


def test_class_folders_alone_are_split_in_three(image_folder):
    data = folder.load(path=image_folder, seed=0, test=0.25, validation=0.2)
    assert data.classes == ("apple", "bread", "cheese")
    assert data.input_shape == (12, 10, 3)
    assert sizes(data) == (72, 18, 30)
    assert np.bincount(data.test.labels).tolist() == [10, 10, 10]


def test_every_image_keeps_its_class(image_folder):
    train = folder.load(path=image_folder, seed=0).train
    levels = train.images.mean(axis=(1, 2, 3))
    np.testing.assert_array_equal(np.digitize(levels, [80, 160]), train.labels)


def test_the_folders_own_splits_are_kept(split_folder):
    data = folder.load(path=split_folder, seed=0, validation=0.1, test=0.9)
    assert sizes(data) == (81, 9, 30)
    shutil.copytree(split_folder / "test", split_folder / "validation")
    assert sizes(folder.load(path=split_folder, seed=0)) == (90, 30, 30)


def test_another_seed_draws_another_validation_split(image_folder):
    first, second = folder.load(path=image_folder, seed=0), folder.load(path=image_folder, seed=1)
    assert not np.array_equal(first.validation.images, second.validation.images)


def test_colours_are_red_green_blue_and_one_channel_is_gray(tmp_path):
    for name in ("fire", "wood"):
        (tmp_path / name).mkdir()
        for number in range(10):
            cv2.imwrite(str(tmp_path / name / f"{number}.bmp"), np.full((4, 4, 3), (0, 0, 255), np.uint8))  # BGR
    assert folder.load(path=tmp_path, seed=0).train.images[0, 0, 0].tolist() == [255, 0, 0]
    gray = folder.load(path=tmp_path, seed=0, channels=1)
    assert gray.input_shape == (4, 4, 1)
    assert gray.train.images[0, 0, 0].tolist() == [76]


def test_formats_sizes_and_depths_may_mix_when_image_size_is_given(image_folder):
    cv2.imwrite(str(image_folder / "apple" / "small.jpg"), np.full((5, 6), 7, np.uint8))
    cv2.imwrite(str(image_folder / "bread" / "deep.png"), np.full((50, 60, 3), 9 * 256, np.uint16))
    data = folder.load(path=image_folder, seed=0, image_size=16)
    assert data.input_shape == (16, 16, 3)
    assert sum(sizes(data)) == 122


def test_hidden_files_are_skipped_and_deeper_folders_belong_to_their_class(image_folder):
    (image_folder / ".DS_Store").write_bytes(b"finder")
    (image_folder / "apple" / ".DS_Store").write_bytes(b"finder")
    (image_folder / "apple" / ".thumbnails").mkdir()
    (image_folder / "apple" / ".thumbnails" / "00.png").write_bytes(b"thumb")
    (image_folder / ".cache").mkdir()
    (image_folder / "LICENSE").write_text("beside the classes")
    (image_folder / "apple" / "images").mkdir()
    (image_folder / "apple" / "00.png").rename(image_folder / "apple" / "images" / "00.png")
    data = folder.load(path=image_folder, seed=0)
    assert data.classes == ("apple", "bread", "cheese")
    assert sum(sizes(data)) == 120


def test_unreadable_images_are_counted_and_the_first_five_named(image_folder):
    for number in range(10, 17):
        (image_folder / "bread" / f"{number}.png").write_bytes(b"\x89PNG torn")
    with pytest.raises(DataError, match=r"7 of 120 images cannot be used: .*bread/10\.png is not an image") as error:
        folder.load(path=image_folder, seed=0)
    assert "14.png" in str(error.value)
    assert "15.png" not in str(error.value)
    assert "and 2 more" in str(error.value)


def test_an_unreadable_first_image_is_named_alone(image_folder):
    (image_folder / "apple" / "00.png").write_text("not an image")
    with pytest.raises(DataError, match=r"1 of 120 images cannot be used: .*apple/00\.png is not an image"):
        folder.load(path=image_folder, seed=0)


def test_an_image_of_another_size_is_named_with_the_way_out(image_folder):
    cv2.imwrite(str(image_folder / "cheese" / "wide.png"), np.zeros((12, 20, 3), np.uint8))
    with pytest.raises(DataError, match=r"wide\.png is 20x12 and not 10x12 like the first.* dataset.image_size=64"):
        folder.load(path=image_folder, seed=0)


@pytest.mark.parametrize(
    ("made", "what"),
    [
        ("val/apple", r"val beside train\. Only train, validation, test are known"),
        ("test/durian", r"test/durian: train has no such class, only apple, bread, cheese"),
        ("train/durian", r"train/durian holds no images"),
    ],
)
def test_a_folder_that_does_not_fit_is_named(made, what, split_folder):
    (split_folder / made).mkdir(parents=True)
    with pytest.raises(DataError, match=what):
        folder.load(path=split_folder, seed=0)


def test_a_folder_without_class_folders_is_refused(image_folder):
    with pytest.raises(DataError, match=r"apple holds 0 folders\. Give it one for each class"):
        folder.load(path=image_folder / "apple", seed=0)


def test_a_file_as_path_is_refused(image_folder):
    with pytest.raises(DataError, match=r"dataset.path=.*00\.png is a file"):
        folder.load(path=image_folder / "apple" / "00.png", seed=0)


def test_two_channels_are_refused(image_folder):
    with pytest.raises(DataError, match=r"dataset.channels=2: .* Give 3 or 1"):
        folder.load(path=image_folder, seed=0, channels=2)


@pytest.mark.slow
def test_60000_real_jpegs_are_read(real):
    data = folder.load(path=real("folder") / "cifar10-folder", seed=0)
    assert sizes(data) == (45_000, 5_000, 10_000)
    assert data.classes[0] == "airplane"
    assert data.classes[9] == "truck"
    assert np.bincount(data.test.labels).tolist() == [1000] * 10
    np.testing.assert_allclose(data.mean, (125.3, 123.0, 113.9), atol=0.5)

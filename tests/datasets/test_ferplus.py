import numpy as np
import pytest

from sweeper.datasets import ferplus
from sweeper.errors import DataError

NEUTRAL, HAPPINESS, SADNESS = 0, 1, 3
GRAY = " ".join(["128"] * 48 * 48)
VOTES = "Training,fer0000000.png,3,1,0,4,0,0,0,0,2,0"


def edit(file, line, old, new):
    """Replaces `old` in one line, numbered from 1 as an editor does."""
    lines = file.read_text().splitlines()
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    file.write_text("\n".join(lines) + "\n")


def replace_face(file, line, pixels):
    lines = file.read_text().splitlines()
    emotion, _, usage = lines[line - 1].split(",")
    lines[line - 1] = f"{emotion},{pixels},{usage}"
    file.write_text("\n".join(lines) + "\n")


def load_first(ferplus_files, votes, **keys):
    """The data set in which the first training face has these votes."""
    lines = ferplus_files["labels"].read_text().splitlines()
    lines[1] = votes
    ferplus_files["labels"].write_text("\n".join(lines) + "\n")
    return ferplus.load(**ferplus_files, seed=0, **keys)


def test_a_label_is_the_share_of_the_votes_for_the_eight_emotions(ferplus_files):
    label = load_first(ferplus_files, VOTES).train.labels[0]
    assert (label[NEUTRAL], label[HAPPINESS], label[SADNESS]) == (0.375, 0.125, 0.5)


@pytest.mark.parametrize(
    ("votes", "emotion"), [(VOTES, SADNESS), ("Training,fer0000000.png,0,4,0,4,0,0,0,0,2,0", HAPPINESS)]
)
def test_the_majority_is_the_first_emotion_with_most_votes(votes, emotion, ferplus_files):
    data = load_first(ferplus_files, votes, target="majority")
    assert data.train.labels[0] == emotion
    assert {split.labels.ndim for split in (data.train, data.validation, data.test)} == {1}
    assert not data.drawn


@pytest.mark.parametrize(
    ("votes", "kept"),
    [
        ("3,1,0,4,0,0,0,0,2,0", False),  # 4 of 9
        ("1,1,1,4,1,0,0,0,2,0", True),  # 4 of 6 without the single ones
        ("0,0,0,4,0,0,0,0,4,0", False),  # half is not more than half
        ("0,0,0,3,0,0,0,0,5,2", False),  # most say that they cannot tell
        ("1,0,0,0,0,0,0,0,9,0", False),
    ],
)
def test_a_clear_majority_is_over_half_of_all_votes_without_single_ones(votes, kept, ferplus_files):
    lines = ferplus_files["labels"].read_text().splitlines()
    row = next(number for number, line in enumerate(lines) if line.startswith("PrivateTest"))
    lines[row] = f"PrivateTest,fer.png,{votes}"
    ferplus_files["labels"].write_text("\n".join(lines) + "\n")
    every, clear = (ferplus.load(**ferplus_files, seed=0, clear_majority=only) for only in (False, True))
    assert len(clear.train) == len(every.train)
    assert len(clear.validation) <= len(every.validation)
    face = every.test.images[0]
    assert (clear.test.images == face).all(axis=(1, 2, 3)).any() == kept


def test_drawn_labels_are_distributions_until_they_are_drawn(ferplus_files):
    data, plain = (load_first(ferplus_files, VOTES, target=target) for target in ("drawn", "distribution"))
    np.testing.assert_array_equal(data.train.labels, plain.train.labels)
    assert (data.drawn, plain.drawn) == (True, False)


def test_an_unknown_target_is_refused_with_the_known_ones(ferplus_files):
    with pytest.raises(DataError, match=r"dataset.target=mean: unknown\. Give one of majority, distribution, drawn"):
        ferplus.load(**ferplus_files, seed=0, target="mean")


def test_usage_gives_the_split_and_a_face_without_votes_is_left_out(ferplus_files):
    data = ferplus.load(**ferplus_files, seed=0)
    assert (len(data.train), len(data.validation), len(data.test)) == (29, 29, 29)


def test_pixels_are_read_row_by_row_and_never_confused_between_faces(ferplus_files):
    face = np.arange(48 * 48) % 256
    replace_face(ferplus_files["images"], 5, " ".join(map(str, face)))
    second_training_face = ferplus.load(**ferplus_files, seed=0).train.images[1]
    np.testing.assert_array_equal(second_training_face[..., 0], face.reshape(48, 48))


@pytest.mark.parametrize("side", [24, 64])
def test_faces_are_resized(side, ferplus_files):
    replace_face(ferplus_files["images"], 2, GRAY)
    data = ferplus.load(**ferplus_files, seed=0, image_size=side)
    assert data.input_shape == (side, side, 1)
    assert (data.train.images[0] == 128).all()


@pytest.mark.parametrize(
    ("pixels", "what"),
    [
        ("70 80 82", "3 pixels instead of 2304"),
        ("", "0 pixels instead of 2304"),
        (GRAY + " 128", "2305 pixels instead of 2304"),
        (GRAY.replace("128", "256", 1), "pixels from 128 to 256 instead of 0 to 255"),
        (GRAY.replace("128", "-1", 1), "pixels from -1 to 128 instead of 0 to 255"),
        (GRAY.replace("128", "12x", 1), "a pixel is not a whole number"),
        (GRAY + "," + GRAY, "4 fields instead of 3"),
    ],
)
def test_a_damaged_face_is_named_by_file_and_line(pixels, what, ferplus_files):
    replace_face(ferplus_files["images"], 42, pixels)
    with pytest.raises(DataError, match=rf"fer2013\.csv, line 42: {what}"):
        ferplus.load(**ferplus_files, seed=0)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [("PublicTest", "Public", "Public,"), (".png,", ".png,x", "PublicTest,x"), (",1,0", ",1", "11 fields")],
)
def test_a_damaged_row_of_votes_is_named_by_file_and_line(old, new, what, ferplus_files):
    edit(ferplus_files["labels"], 9, old, new)
    with pytest.raises(DataError, match=rf"fer2013new\.csv, line 9: {what}"):
        ferplus.load(**ferplus_files, seed=0)


def test_files_of_different_length_are_refused_with_both_numbers(ferplus_files):
    lines = ferplus_files["images"].read_text().splitlines()
    ferplus_files["images"].write_text("\n".join(lines[:-2]) + "\n")
    with pytest.raises(DataError, match=r"fer2013\.csv has 88 rows and .*fer2013new\.csv has 90"):
        ferplus.load(**ferplus_files, seed=0)


def test_exchanged_files_are_noticed_by_their_columns(ferplus_files):
    with pytest.raises(DataError, match=r"has no column neutral, .*; it has emotion, pixels, Usage"):
        ferplus.load(images=ferplus_files["labels"], labels=ferplus_files["images"], seed=0)


@pytest.mark.parametrize("key", ["images", "labels"])
def test_a_missing_file_is_named_with_its_key(key, ferplus_files):
    ferplus_files[key].unlink()
    with pytest.raises(DataError, match=f"dataset.{key}=.* does not exist"):
        ferplus.load(**ferplus_files, seed=0)


@pytest.mark.slow
def test_clear_majorities_of_the_real_files(real):
    folder = real("fer2013") / "fer2013"
    files = {"images": folder / "fer2013.csv", "labels": folder / "fer2013new.csv"}
    data = ferplus.load(**files, seed=0, clear_majority=True)
    assert (len(data.train), len(data.validation), len(data.test)) == (28_559, 3_199, 3_153)


@pytest.mark.slow
def test_the_real_files_give_the_numbers_of_the_literature(real):
    folder = real("fer2013") / "fer2013"
    data = ferplus.load(images=folder / "fer2013.csv", labels=folder / "fer2013new.csv", seed=0)
    assert (len(data.train), len(data.validation), len(data.test)) == (28_559, 3_579, 3_573)
    assert data.input_shape == (48, 48, 1)
    np.testing.assert_allclose(data.mean, 129.4, atol=0.5)
    first_votes = [4, 0, 0, 1, 3, 2, 0, 0]  # fer0000000.png
    np.testing.assert_allclose(data.train.labels[0], np.array(first_votes) / 10)
    assert data.train.images[0, 0, :5, 0].tolist() == [70, 80, 82, 72, 58]

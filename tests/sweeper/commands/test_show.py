import cv2
import numpy as np
import pytest

from sweeper import drawing
from sweeper.app import main
from sweeper.commands import show
from sweeper.datasets import digits
from sweeper.training import pictures
from sweeper.training.augment import strong


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["sweeper", "show", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code


def drawn(figure):
    """The images of a figure by row and column of its grid; None where nothing is drawn."""
    rows = {axis.get_subplotspec().rowspan.start for axis in figure.axes}
    grid = [[axis for axis in figure.axes if axis.get_subplotspec().rowspan.start == row] for row in sorted(rows)]
    return [[axis.images[0].get_array() if axis.images else None for axis in line] for line in grid]


def test_samples_are_a_row_of_training_images_for_each_class():
    data = digits.load(seed=0)
    of_class = [{image.tobytes() for image in data.train.images[data.train.labels == number]} for number in range(10)]
    grid = drawn(show.samples(data, seed=0))
    assert len(grid) == 10
    for line, known in zip(grid, of_class, strict=True):
        assert len({image.tobytes() for image in line} & known) == show.COLUMNS


def test_a_class_with_few_images_has_a_short_row():
    data = digits.load(seed=0, train_size=30)
    for number, line in enumerate(drawn(show.samples(data, seed=0))):
        there = int((data.train.labels == number).sum())
        assert sum(image is not None for image in line) == min(there, show.COLUMNS)


def test_an_augmentation_is_shown_beside_the_image_epoch_by_epoch():
    data = digits.load(seed=0)
    grid = drawn(show.augmented(data, strong(shift=0.0, cutout=0.0, mixup=0.0), seed=0))
    for original, *epochs in grid:
        flipped = [np.array_equal(image, original[:, ::-1]) for image in epochs]
        assert flipped == [flipped[0] ^ bool(epoch % 2) for epoch in range(len(epochs))]


def test_the_seed_draws_the_images():
    data = digits.load(seed=0)
    first, again, other = (np.ma.concatenate(drawn(show.samples(data, seed))[0]) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("augment", ["none", "strong"])
def test_the_picture_is_written_where_it_is_wanted(augment, monkeypatch, tmp_path, capsys):
    out = tmp_path / "grid.png"
    assert run(monkeypatch, "dataset=digits", f"augment={augment}", "--out", out) == 0
    assert cv2.imread(str(out)).std() > 10
    assert (
        f"1,151 training, 287 validation and 359 test images of 8x8x1 in 10 classes -> {out}" in capsys.readouterr().out
    )


def test_a_name_without_an_ending_becomes_a_png(monkeypatch, tmp_path):
    assert run(monkeypatch, "--out", tmp_path / "grid") == 0
    assert [file.name for file in tmp_path.iterdir()] == ["grid.png"]


@pytest.mark.parametrize("out", ["nowhere/grid.png", "grid.txt"])
def test_a_file_that_cannot_be_written_is_named(out, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "--out", out) == 2
    assert f"--out {out}: " in capsys.readouterr().err


NAMES = {8: [f"expression {number}" for number in range(8)], 100: [f"class {number}" for number in range(100)]}


@pytest.mark.parametrize("classes", NAMES)
def test_pictures_of_an_evaluation_can_be_drawn_for_few_and_many_classes(classes, tmp_path):
    rng = np.random.default_rng(0)
    right, probabilities = rng.integers(0, classes, 500), rng.dirichlet([1] * classes, 500)
    counts = rng.integers(0, 9, (classes, classes))
    images = rng.integers(0, 256, (500, 48, 48, 1), np.uint8)
    for number, figure in enumerate(
        (
            pictures.confusion(counts, NAMES[classes]),
            pictures.class_accuracy(counts, NAMES[classes]),
            pictures.predictions(images, right, probabilities, NAMES[classes]),
        )
    ):
        drawing.save(figure, tmp_path / f"{number}.png")
        assert cv2.imread(str(tmp_path / f"{number}.png")).std() > 5


def test_exactly_the_wrong_predictions_are_marked():
    right = np.arange(40) % 4
    told = np.where(np.arange(40) % 5 == 0, (right + 1) % 4, right)
    images = np.zeros((40, 8, 8, 1), np.uint8)
    figure = pictures.predictions(images, right, np.eye(4)[told], "abcd")
    assert [bool(axis.patches) for axis in figure.axes] == (np.arange(40) % 5 == 0).tolist()
    assert figure.axes[0].get_title() == "b 1.00\nis a"


def test_a_confusion_matrix_tells_its_counts_and_its_accuracy():
    figure = pictures.confusion(np.array([[8, 2], [1, 9]]), ["cat", "dog"])
    assert sorted(text.get_text() for text in figure.axes[0].texts) == ["1", "2", "8", "9"]
    assert figure.axes[0].get_title() == "85.00% of 20 test images right"

"""What every file in `datasets/` must hold. A new one joins by existing; if it needs files, list them in `sources`."""

import ast
import importlib
import inspect
from pathlib import Path

import numpy as np
import pytest
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from sweeper.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
STEMS = sorted(file.stem for file in (ROOT / "datasets").glob("*.py"))
pytestmark = pytest.mark.parametrize("stem", STEMS)


@pytest.fixture
def load(stem, sources):
    """Loads as `python -m sweeper dataset=<stem> seed=<seed> dataset.<key>=<value>` does."""

    def load(seed=0, **changes):
        config = OmegaConf.create({"seed": seed, "dataset": OmegaConf.load(ROOT / "conf" / "dataset" / f"{stem}.yaml")})
        given = {key: str(value) for key, value in sources.get(stem, {}).items()}
        return instantiate(config.dataset, **given, **changes)

    return load


def rows(split):
    return [image.tobytes() for image in split.images]


def test_the_yaml_opens_with_its_command_and_has_every_keyword(stem):
    text = (ROOT / "conf" / "dataset" / f"{stem}.yaml").read_text()
    loader = importlib.import_module(f"sweeper.datasets.{stem}").load
    assert text.startswith(f"# python -m sweeper dataset={stem}")
    assert set(OmegaConf.create(text)) - {"_target_"} == set(inspect.signature(loader).parameters)
    assert OmegaConf.create(text)._target_ == f"sweeper.datasets.{stem}.load"


def test_a_loader_takes_only_data_and_errors_from_the_engine(stem):
    tree = ast.parse((ROOT / "datasets" / f"{stem}.py").read_text())
    names = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert {name for name in names if name.startswith("sweeper")} <= {"sweeper.data", "sweeper.errors"}


def test_images_are_bytes_of_one_shape_and_labels_name_a_class_or_are_distributions(load):
    data = load()
    assert len(data.input_shape) == 3
    assert len(set(data.classes)) == data.num_classes > 1
    for split in (data.train, data.validation, data.test):
        assert split.images.dtype == np.uint8
        assert split.images.shape == (len(split.labels), *data.input_shape)
        if split.labels.ndim == 1:
            assert split.labels.dtype == np.int64
            assert set(split.labels) <= set(range(data.num_classes))
        else:
            assert split.labels.dtype == np.float32
            assert split.labels.shape[1] == data.num_classes
            np.testing.assert_allclose(split.labels.sum(axis=1), 1, atol=1e-6)


def test_the_statistics_are_those_of_the_training_pixels(load):
    data = load()
    np.testing.assert_allclose(data.mean, data.train.images.mean(axis=(0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(data.std, data.train.images.std(axis=(0, 1, 2)), rtol=1e-6)


def test_no_image_is_in_two_splits(load):
    data = load()
    train, validation, test = (set(rows(split)) for split in (data.train, data.validation, data.test))
    assert not train & validation
    assert not train & test
    assert not validation & test


def test_the_same_seed_gives_the_same_data(load):
    first, second = load(seed=3), load(seed=3)
    for one, other in ((first.train, second.train), (first.validation, second.validation), (first.test, second.test)):
        np.testing.assert_array_equal(one.images, other.images)
        np.testing.assert_array_equal(one.labels, other.labels)


def test_another_seed_never_changes_the_test_split(load):
    first, second = load(seed=0), load(seed=1)
    np.testing.assert_array_equal(first.test.images, second.test.images)
    np.testing.assert_array_equal(first.test.labels, second.test.labels)


def test_train_size_keeps_so_many_training_images_and_the_seed_draws_them(load):
    everything, few, others = load(), load(train_size=20), load(train_size=20, seed=1)
    assert len(few.train) == 20
    assert set(rows(few.train)) < set(rows(everything.train))
    assert set(rows(few.validation)) < set(rows(everything.validation))
    assert rows(few.train) != rows(others.train)
    assert rows(few.test) == rows(everything.test)


def test_more_training_images_than_there_are_is_refused_with_their_number(load):
    there = len(load().train)
    with pytest.raises(InstantiationException, match=f"there are {there} training images") as error:
        load(train_size=there + 1)
    assert isinstance(error.value.__cause__, DataError)

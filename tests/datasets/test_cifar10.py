import os
import pickle
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from sweeper.datasets import cifar10
from sweeper.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
GOOD = {b"data": np.zeros((10, 3072), np.uint8), b"labels": list(range(10))}


class Bomb:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, target):
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


def test_the_folder_and_the_one_it_lies_in_are_both_a_path(cifar10_folder):
    inner, outer = cifar10.load(path=cifar10_folder, seed=0), cifar10.load(path=cifar10_folder.parent, seed=0)
    np.testing.assert_array_equal(inner.train.images, outer.train.images)
    assert (len(inner.train), len(inner.validation), len(inner.test)) == (270, 30, 60)


def test_a_row_is_read_as_a_red_a_green_and_a_blue_plane(cifar10_folder):
    planes = np.zeros((10, 3, 32, 32), np.uint8)
    planes[:, 0] = 200  # red everywhere
    planes[:, 1, 0, :] = 100  # green in the top row
    planes[:, 2, :, 0] = 50  # blue in the left column
    batch = GOOD | {b"data": planes.reshape(10, 3072)}
    (cifar10_folder / "test_batch").write_bytes(pickle.dumps(batch, protocol=2))
    image = cifar10.load(path=cifar10_folder, seed=0).test.images[0]
    assert image[0, 0].tolist() == [200, 100, 50]
    assert image[0, 5].tolist() == [200, 100, 0]
    assert image[5, 0].tolist() == [200, 0, 50]
    assert image[5, 5].tolist() == [200, 0, 0]


def test_a_batch_as_python_2_and_numpy_1_wrote_it_is_read(cifar10_folder):
    pixels = np.arange(2 * 3072).astype(np.uint8)
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
        b"(K\x01K\x02M\x00\x0c\x86cnumpy\ndtype\n(U\x02u1K\x00K\x01tR"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89T" + len(pixels).to_bytes(4, "little") + pixels.tobytes() + b"tb"
    )
    batch = b"\x80\x02}(U\x04data" + array + b"U\x06labels](K\x03K\x07eu."
    (cifar10_folder / "test_batch").write_bytes(batch)
    test = cifar10.load(path=cifar10_folder, seed=0).test
    assert test.labels.tolist() == [3, 7]
    assert test.images[0, 0, :3].tolist() == [[0, 0, 0], [1, 1, 1], [2, 2, 2]]


def test_a_pickle_that_would_run_code_is_refused_before_it_does(cifar10_folder, tmp_path):
    target = tmp_path / "made by the pickle"
    (cifar10_folder / "data_batch_3").write_bytes(pickle.dumps(GOOD | {b"extra": Bomb(target)}, protocol=2))
    with pytest.raises(DataError, match=r"data_batch_3 is not a CIFAR-10 batch: it asks for \w+\.mkdir"):
        cifar10.load(path=cifar10_folder, seed=0)
    assert not target.exists()


@pytest.mark.parametrize(
    ("batch", "what"),
    [
        ([1, 2], r"it holds list instead of a dictionary with b'data'"),
        ({b"data": GOOD[b"data"], b"fine_labels": [1]}, r"it holds \[b'data', b'fine_labels'\] instead .* b'labels'"),
        (GOOD | {b"data": np.zeros((10, 3071), np.uint8)}, r"its data is \(10, 3071\) uint8"),
        (GOOD | {b"data": np.zeros((10, 3072), np.float32)}, r"its data is \(10, 3072\) float32"),
        (GOOD | {b"data": b"pixels"}, r"its data is bytes"),
        (GOOD | {b"labels": list(range(9))}, r"its labels are \(9,\) int64 instead of \(10,\) integers"),
        (GOOD | {b"labels": ["cat"] * 10}, r"its labels are \(10,\) <U3"),
        (GOOD | {b"labels": [*range(9), 10]}, r"its labels run from 0 to 10"),
        (GOOD | {b"more": OrderedDict()}, r"it asks for collections.OrderedDict"),
    ],
)
def test_a_damaged_batch_is_named_with_what_is_wrong(batch, what, cifar10_folder):
    (cifar10_folder / "data_batch_2").write_bytes(pickle.dumps(batch, protocol=2))
    with pytest.raises(DataError, match="data_batch_2 is not a CIFAR-10 batch: " + what):
        cifar10.load(path=cifar10_folder, seed=0)


@pytest.mark.parametrize("content", [b"", b"\x80\x02}(U\x04da", b"<html>Not found</html>"])
def test_a_file_that_is_no_pickle_is_named(content, cifar10_folder):
    (cifar10_folder / "data_batch_5").write_bytes(content)
    with pytest.raises(DataError, match="data_batch_5 is not a CIFAR-10 batch"):
        cifar10.load(path=cifar10_folder, seed=0)


def test_missing_batches_are_named(cifar10_folder):
    (cifar10_folder / "data_batch_4").unlink()
    (cifar10_folder / "test_batch").unlink()
    with pytest.raises(DataError, match=r"no file data_batch_4, test_batch in .*cifar-10-batches-py"):
        cifar10.load(path=cifar10_folder, seed=0)


def test_a_path_that_does_not_exist_is_named_with_its_key(tmp_path):
    with pytest.raises(DataError, match=r"dataset.path=.*nowhere: .* does not exist"):
        cifar10.load(path=tmp_path / "nowhere", seed=0)


def test_a_failed_download_says_how_to_do_without(tmp_path):
    code = "from sweeper.datasets import cifar10; cifar10.load(seed=0)"
    nowhere = {"https_proxy": "http://127.0.0.1:9", "KERAS_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | nowhere, capture_output=True, text=True)
    assert "DataError: dataset.path=null: the download of CIFAR-10 failed" in done.stderr
    assert "unpack it and give dataset.path=" in done.stderr


@pytest.mark.slow
def test_the_real_archive_has_5000_training_and_1000_test_images_of_each_class(real):
    data = cifar10.load(path=real("cifar10"), seed=0)
    assert np.bincount(data.train.labels).tolist() == [4500] * 10
    assert np.bincount(data.validation.labels).tolist() == [500] * 10
    assert np.bincount(data.test.labels).tolist() == [1000] * 10
    np.testing.assert_allclose(data.mean, (125.3, 123.0, 113.9), atol=0.5)  # what the literature gives
    np.testing.assert_allclose(data.std, (63.0, 62.1, 66.7), atol=0.6)

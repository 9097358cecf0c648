"""CIFAR-10 from the official pickled batches, read so that a pickle from the internet cannot run code."""

import pickle
from pathlib import Path

import numpy as np

from sweeper.data import Dataset, Split, assemble, existing
from sweeper.errors import DataError

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FOLDER = "cifar-10-batches-py"  # what the official archive unpacks to
TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = ("test_batch",)


def load(
    *, path: str | Path | None = None, seed: int, validation: float = 0.1, train_size: int | None = None
) -> Dataset:
    """50,000 training and 10,000 test photographs of ten kinds of things.

    path: the unpacked folder cifar-10-batches-py or the one it lies in; None downloads through Keras.
    Returns: images (N, 32, 32, 3) uint8 RGB; labels (N,) int64.
    Raises: DataError if a batch is missing, damaged or asks for more than NumPy arrays.
    Source: Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html
    """
    train, test = _download() if path is None else _read(existing(path, "dataset.path"))
    return assemble(train, test, CLASSES, seed=seed, validation=validation, train_size=train_size)


def _download() -> tuple[Split, Split]:
    import keras

    try:
        train, test = keras.datasets.cifar10.load_data()  # 170 MB once, checked by its hash; then from ~/.keras
    except Exception as error:  # Keras raises no narrower type
        raise DataError(
            f"dataset.path=null: the download of CIFAR-10 failed ({error}). "
            f"Get cifar-10-python.tar.gz by other means, unpack it and give dataset.path=…/{FOLDER}."
        ) from error
    return tuple(Split(images, labels.ravel().astype(np.int64)) for images, labels in (train, test))


def _read(path: Path) -> tuple[Split, Split]:
    folder = path / FOLDER if (path / FOLDER).is_dir() else path
    missing = [name for name in TRAIN + TEST if not (folder / name).is_file()]
    if missing:
        raise DataError(
            f"dataset.path={path}: no file {', '.join(missing)} in {folder}. "
            f"Give the folder {FOLDER} of the unpacked cifar-10-python.tar.gz."
        )
    return _join([folder / name for name in TRAIN]), _join([folder / name for name in TEST])


def _join(files: list[Path]) -> Split:
    batches = [_read_batch(file) for file in files]
    return Split(*(np.concatenate(parts) for parts in zip(*batches, strict=True)))


def _read_batch(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 32, 32, 3) uint8 and labels (N,) int64 of one file."""
    batch = _unpickle(file)
    pixels, labels = _entry(file, batch, b"data"), np.asarray(_entry(file, batch, b"labels"))
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (3072,):
        raise _damaged(file, f"its data is {_describe(pixels)} instead of (N, 3072) uint8")
    if labels.dtype.kind != "i" or labels.shape != (len(pixels),):
        raise _damaged(file, f"its labels are {_describe(labels)} instead of ({len(pixels)},) integers")
    if not np.isin(labels, range(len(CLASSES))).all():
        raise _damaged(file, f"its labels run from {labels.min()} to {labels.max()} instead of 0 to 9")
    planes = pixels.reshape(-1, 3, 32, 32)  # a row holds all reds, then all greens, then all blues
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels.astype(np.int64)


def _entry(file: Path, batch: object, key: bytes) -> object:
    if not isinstance(batch, dict) or key not in batch:
        found = list(batch) if isinstance(batch, dict) else type(batch).__name__
        raise _damaged(file, f"it holds {found} instead of a dictionary with {key!r}")
    return batch[key]


def _unpickle(file: Path) -> object:
    try:
        with open(file, "rb") as stream:
            return ArrayUnpickler(stream, encoding="bytes").load()  # the archive was written by Python 2
    except Exception as error:  # damaged bytes can raise nearly anything on their way through pickle
        raise _damaged(file, str(error) or type(error).__name__) from error


class ArrayUnpickler(pickle.Unpickler):
    """Knows NumPy arrays and plain Python data. Any other name in a pickle could run a stranger's code."""

    ALLOWED = frozenset(
        {
            ("numpy.core.multiarray", "_reconstruct"),  # as NumPy 1 wrote it
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),  # how Python 3 writes bytes for Python 2
        }
    )

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no CIFAR-10 batch needs")
        return super().find_class(module, name)


def _describe(value: object) -> str:
    return f"{value.shape} {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__


def _damaged(file: Path, what: str) -> DataError:
    return DataError(f"{file} is not a CIFAR-10 batch: {what}. Unpack cifar-10-python.tar.gz once more.")

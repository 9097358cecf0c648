"""Your own images: one folder a class, in any format that OpenCV reads."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from sweeper.data import Dataset, Split, assemble, existing, read_image, resize
from sweeper.errors import DataError

SPLITS = ("train", "validation", "test")
BATCH = 256  # images that a thread decodes before it asks for more
LARGEST_SIDE = 4096  # pixels
SHOWN = 5  # bad files named in an error

Image = tuple[Path, int]  # a file and the number of its class


def load(
    *,
    path: str | Path,
    seed: int,
    image_size: int | None = None,
    channels: int = 3,
    validation: float = 0.1,
    test: float = 0.2,
    train_size: int | None = None,
) -> Dataset:
    """The images under `path`/<class>/, or under `path`/train/<class>/ and, if there, /validation/ and /test/.

    Links are followed wherever they lead: large data sets are often put together of them.

    image_size: pixels a side that all images are resized to; None keeps their size, which must then be the same.
    channels: 3 for RGB, 1 for gray.
    validation, test: fractions to hold out where the folder brings no such split; test is cut first, whatever the seed.
    Returns: images (N, height, width, channels) uint8; labels (N,) int64, numbering the sorted names of the classes.
    Raises: DataError if an image cannot be read or differs in size, or a folder is not where it should be.
    """
    if channels not in (1, 3):
        raise DataError(f"dataset.channels={channels}: images are decoded to RGB or gray. Give 3 or 1.")
    if image_size is not None and not (isinstance(image_size, int) and 0 < image_size <= LARGEST_SIDE):
        raise DataError(f"dataset.image_size={image_size}: no side of an image. Give 1 to {LARGEST_SIDE} pixels.")
    folders = _find_splits(existing(path, "dataset.path"))
    classes = _find_classes(folders["train"])
    listed = {name: _list_images(folder, classes) for name, folder in folders.items()}
    shape = _first_shape(listed["train"], channels, image_size)
    splits = {name: _decode(images, shape, image_size) for name, images in listed.items()}
    return assemble(
        splits["train"],
        splits.get("test", test),
        classes,
        seed=seed,
        validation=splits.get("validation", validation),
        train_size=train_size,
    )


def _find_splits(root: Path) -> dict[str, Path]:
    """Where the images of each split lie. A root without train/ holds the classes themselves."""
    if not root.is_dir():
        raise DataError(f"dataset.path={root} is a file. Give the folder that holds a folder for each class.")
    folders = {folder.name: folder for folder in _folders(root)}
    if "train" not in folders:
        return {"train": root}
    strangers = sorted(folders.keys() - set(SPLITS))
    if strangers:
        raise DataError(
            f"dataset.path={root}: {', '.join(strangers)} beside train. Only {', '.join(SPLITS)} are known: "
            "rename it to the split that it is, or move it away."
        )
    return folders


def _find_classes(train: Path) -> tuple[str, ...]:
    classes = tuple(folder.name for folder in _folders(train))
    unreadable = [name for name in classes if name.encode(errors="ignore").decode() != name]
    if unreadable:
        raise DataError(f"{train}: {unreadable!a} are no names in UTF-8. Rename these folders.")
    if len(classes) < 2:
        raise DataError(f"{train} holds {len(classes)} folders. Give it one for each class, at least two.")
    return classes


def _list_images(split: Path, classes: tuple[str, ...]) -> list[Image]:
    """Every file below the folders of the classes but hidden ones, sorted by path."""
    images = []
    for folder in _folders(split):
        if folder.name not in classes:
            raise DataError(
                f"{folder}: train has no such class, only {', '.join(classes)}. Rename or remove the folder."
            )
        files = sorted(file for file in folder.rglob("*") if file.is_file() and not _is_hidden(file, folder))
        if not files:
            raise DataError(f"{folder} holds no images. Put some in, or remove the folder.")
        images += [(file, classes.index(folder.name)) for file in files]
    return images


def _folders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _first_shape(images: list[Image], channels: int, image_size: int | None) -> tuple[int, int, int]:
    """Height, width and channels of the first image that can be read: what all must have."""
    readable = (image for file, _ in images if (image := _read(file, channels, image_size)) is not None)
    return next((image.shape for image in readable), (1, 1, channels))  # none can: decoding them all will say so


def _decode(images: list[Image], shape: tuple[int, int, int], image_size: int | None) -> Split:
    """Decodes on all cores: OpenCV lets other threads run while it works."""
    pixels = np.empty((len(images), *shape), np.uint8)

    def decode(start: int) -> list[str]:
        rows = range(start, min(start + BATCH, len(images)))
        problems = (_decode_into(pixels[row], images[row][0], image_size) for row in rows)
        return [problem for problem in problems if problem]

    with ThreadPoolExecutor() as threads:
        problems = [problem for batch in threads.map(decode, range(0, len(images), BATCH)) for problem in batch]
    if problems:
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise DataError(
            f"{len(problems)} of {len(images)} images cannot be used: {'; '.join(problems[:SHOWN])}{more}. "
            "Remove what is no image; if sizes differ, give one: dataset.image_size=64."
        )
    return Split(pixels, np.array([number for _, number in images], np.int64))


def _decode_into(target: np.ndarray, file: Path, image_size: int | None) -> str | None:
    """Fills `target` (height, width, channels), or tells what is wrong with the file."""
    height, width, channels = target.shape
    image = _read(file, channels, image_size)
    if image is None:
        return f"{file} is not an image that OpenCV reads"
    if image.shape != target.shape:
        return f"{file} is {image.shape[1]}x{image.shape[0]} and not {width}x{height} like the first"
    target[:] = image
    return None


def _read(file: Path, channels: int, image_size: int | None) -> np.ndarray | None:
    """(height, width, channels) uint8, RGB or gray; None if the file is no image."""
    image = read_image(file, channels)
    if image is None or not image_size:
        return image
    return resize(image, image_size, image_size).reshape(image_size, image_size, channels)

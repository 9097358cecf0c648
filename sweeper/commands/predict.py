"""`python -m sweeper predict`: the classes of images, by a network that was exported in any format."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sweeper import text
from sweeper.data import read_image, resize, z_scored
from sweeper.errors import ConfigError, DataError
from sweeper.files import card, formats
from sweeper.files.card import Card

TOP = 3  # classes shown for an image
BATCH = 256  # images that are in memory at once


@dataclass(frozen=True)
class Classifier:
    card: Card
    network: formats.Classify

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """(N, height, width, channels) uint8 in 0..255 -> probabilities (N, classes) float32."""
        return self.network(z_scored(images, self.card.mean, self.card.std))


@dataclass(frozen=True)
class Prediction:
    file: Path
    classes: tuple[tuple[str, float], ...]  # the likeliest with their probabilities, likeliest first


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        f"Names the {TOP} likeliest classes of each image. When piped: a class a line, tab-separated: "
        "file, class, probability."
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="what `export` wrote: a network beside a model.yaml")
    parser.add_argument("images", metavar="IMAGE", type=Path, nargs="+", help="any format that OpenCV reads")


def run(args: Namespace) -> int:
    """Raises: ConfigError or DataError if the folder is no export; DataError naming every file that is no image."""
    predictions = predict(load(args.folder), args.images)
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(_table(list(predictions)))
    else:
        text.pipe(_lines(predictions))
    return 0


def _lines(predictions: Iterable[Prediction]) -> Iterator[str]:
    for prediction in predictions:
        for name, probability in prediction.classes:
            yield f"{prediction.file}\t{text.printable(name)}\t{probability:.6f}"


def load(folder: Path) -> Classifier:
    """The exported network in `folder`; if it holds several formats, the one that loads fastest.

    Raises: ConfigError if there is no such folder or its format's runtime is not installed, DataError if it holds no
    network or a damaged one.
    """
    if not (folder / card.NAME).is_file():
        raise ConfigError(f"{folder} holds no {card.NAME}. Give a folder that `python -m sweeper export` wrote.")
    found = [format for format in formats.FORMATS if (folder / format.file).exists()]
    if not found:
        files = ", ".join(format.file for format in formats.FORMATS)
        raise DataError(f"{folder} holds no network: none of {files}. Export it again: python -m sweeper export")
    return Classifier(card.read(folder), formats.load(found[0], folder / found[0].file))


def predict(classifier: Classifier, files: list[Path]) -> Iterator[Prediction]:
    """Raises: DataError naming every file of a batch that is no image."""
    for start in range(0, len(files), BATCH):
        batch = files[start : start + BATCH]
        for file, row in zip(batch, classifier(_read(batch, classifier.card)), strict=True):
            likeliest = np.argsort(-row)[:TOP]
            yield Prediction(file, tuple((classifier.card.classes[number], float(row[number])) for number in likeliest))


def _read(files: list[Path], card: Card) -> np.ndarray:
    """(N, height, width, channels) uint8, as the card wants them."""
    height, width, channels = card.input_shape
    if channels not in (1, 3):
        raise ConfigError(
            f"The network takes images of {channels} channels. Files are read as gray (1) or RGB (3) only."
        )
    images = [read_image(file, channels) if file.is_file() else None for file in files]  # OpenCV warns of missing ones
    unreadable = [
        f"{file} ({'no image' if file.exists() else 'no such file'})"
        for file, image in zip(files, images, strict=True)
        if image is None
    ]
    if unreadable:
        raise DataError(
            f"Cannot be read: {', '.join(unreadable)}. Give files that OpenCV reads, for instance PNG or JPEG."
        )
    return np.stack([resize(image, height, width).reshape(card.input_shape) for image in images])


def _table(predictions: list[Prediction]) -> Table:
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title, justify in (("file", "left"), ("class", "left"), ("probability", "right")):
        grid.add_column(title, justify=justify)
    for prediction in predictions:
        for place, (name, probability) in enumerate(prediction.classes):
            style = "dim" if place else "bold"
            file = "" if place else str(prediction.file)
            grid.add_row(Text(file), Text(text.printable(name), style), Text(f"{probability:.4f}", style))
    return grid

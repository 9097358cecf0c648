"""`python -m sweeper show`: a data set, or an augmentation of it, at a glance."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sweeper import drawing
from sweeper.config.compose import add_overrides, composed
from sweeper.data import Dataset
from sweeper.errors import ConfigError
from sweeper.training import pictures
from sweeper.training.instances import dataset, make, word

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sweeper.training.augment import Augment

ROWS = 12  # classes shown at most
COLUMNS = 10


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        f"Draws {COLUMNS} training images of each class, of {ROWS} classes at most. With an augment=… other than none: "
        f"an image of each class, and what becomes of it in the first {COLUMNS - 1} epochs."
    )
    add_overrides(parser, "dataset=digits augment=strong seed=1")
    parser.add_argument("--out", metavar="FILE", type=Path, help="PNG, PDF or SVG (default: DATASET.png)")


def run(args: Namespace) -> int:
    """Raises: ConfigError or DataError if the data set cannot be loaded or the picture not be written."""
    cfg = composed(args.overrides)
    data, augment = dataset(cfg), make(cfg, "augment")
    out = args.out or Path(word(cfg.dataset))
    out = out if out.suffix else out.with_suffix(".png")
    figure = samples(data, cfg.seed) if augment is None else augmented(data, augment, cfg.seed)
    try:
        drawing.save(figure, out)
    except (OSError, ValueError) as error:  # no such folder, an ending that is no format
        raise ConfigError(f"--out {out}: {error}. Give a file that can be written, such as {out.stem}.png") from None
    print(
        f"{len(data.train):,} training, {len(data.validation):,} validation and {len(data.test):,} test images of "
        f"{'x'.join(map(str, data.input_shape))} in {data.num_classes} classes -> {out}"
    )
    return 0


def samples(data: Dataset, seed: int) -> Figure:
    """A row a class."""
    rows = _rows_by_class(data, seed, COLUMNS)
    return pictures.grid([data.train.images[own] for own in rows.values()], list(rows))


def augmented(data: Dataset, augment: Augment, seed: int) -> Figure:
    """A row an image of each class: as it is, then as the first epochs of a training with this seed could show it."""
    import tensorflow as tf

    from sweeper.training.augment import Batch

    rows = _rows_by_class(data, seed, 1)
    chosen = np.concatenate(list(rows.values()))
    images = data.train.images[chosen]
    labels = tf.one_hot(range(len(chosen)), len(chosen))
    places = tf.constant(chosen, tf.int64), len(data.train)
    shown = [images]
    for epoch in range(COLUMNS - 1):
        seeds = tf.constant([seed, epoch], tf.int64)
        changed, _ = augment(Batch(tf.constant(images), labels, *places, seeds[1], seeds, data.mean))
        shown.append(np.asarray(changed, np.float32))
    titles = ["as it is", *(f"epoch {epoch + 1}" for epoch in range(COLUMNS - 1))]
    return pictures.grid(list(np.stack(shown, axis=1)), list(rows), titles)


def _rows_by_class(data: Dataset, seed: int, count: int) -> dict[str, np.ndarray]:
    """Up to `count` training rows of each class that has any, drawn by `seed`; of a distribution the likeliest."""
    labels = data.train.labels
    numbers = labels.argmax(axis=1) if labels.ndim == 2 else labels
    rng = np.random.default_rng(seed)
    drawn = {name: rng.permutation(np.flatnonzero(numbers == number)) for number, name in enumerate(data.classes)}
    return {name: rows[:count] for name, rows in list(drawn.items())[:ROWS] if len(rows)}

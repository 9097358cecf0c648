"""A map from above: its first two axes as a picture has them, on one scale of colours for all its values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sweeper.sail.descriptor import Descriptor

WRITTEN = 12  # bins along an axis up to which a cell has room for the number of its trial


def cells(values: np.ndarray, shape: tuple[int, ...], rising: bool) -> np.ndarray:
    """Which cell is seen where: along further axes the best. (x, y), -1 where none has a value; y is 1 of one axis.

    values: (cells,), NaN where there is none.
    """
    columns = np.arange(len(values)).reshape(shape[0], shape[1] if len(shape) > 1 else 1, -1)
    turned = np.where(np.isnan(values), -np.inf, values if rising else -values)
    best = turned[columns].argmax(axis=-1)
    found = np.take_along_axis(columns, best[..., None], axis=-1)[..., 0]
    return np.where(np.isnan(values[found]), -1, found)


def seen(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(x, y) values of the cells at these places."""
    return np.where(places >= 0, values[places], np.nan)


def edges(descriptors: Sequence[Descriptor]) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the bins, (x + 1,) and (y + 1,)."""
    return descriptors[0].edges(), descriptors[1].edges() if len(descriptors) > 1 else np.array([0.0, 1.0])


def limits(values: Sequence[np.ndarray], rising: bool) -> tuple[float, float]:
    """The least and the largest that colours tell apart: one bad cell shall not take all of them."""
    flat = np.concatenate(values)
    low, high = (
        (np.nanpercentile(flat, 5), np.nanmax(flat)) if rising else (np.nanmin(flat), np.nanpercentile(flat, 95))
    )
    return float(low), float(high)

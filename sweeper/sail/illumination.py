"""MAP-Elites: evolution that keeps the best of every kind, here on a surrogate, where a candidate costs nothing.

Source: Mouret and Clune 2015, arXiv:1504.04909; children along the line to another elite: Vassiliades and Mouret 2018,
arXiv:1804.03906.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sweeper.sail.archive import Archive
from sweeper.sail.descriptor import Descriptor

# (n, genes) -> how good they are and which cells they belong to, (n,) each; cell -1: beyond the map
Judge = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
_LINE = 0.2  # deviation of a child along the line from one elite to another, as a share of it


@dataclass(frozen=True)
class Illumination:
    archive: Archive
    genes: np.ndarray  # (cells, genes) of the elites; anything where a cell is empty


@dataclass(frozen=True)
class Evolution:
    generations: int = 60
    children: int = 128  # a generation
    sigma: float = 0.1  # deviation of a mutation, as a share of a dimension
    redrawn: float = 0.15  # of a category: probability that a child has another one


def illuminate(
    judge: Judge,
    first: np.ndarray,
    categorical: np.ndarray,
    descriptors: Sequence[Descriptor],
    evolution: Evolution,
    rng: np.random.Generator,
) -> Illumination:
    """first: (n, genes) to begin with. categorical: (genes,) bool."""
    archive = Archive.empty(descriptors)
    genes = np.zeros((len(archive.scores), first.shape[1]))
    archive, genes = _settled(archive, genes, first, *judge(first))
    for _ in range(evolution.generations):
        filled = archive.filled
        if len(filled):
            one, other = (genes[rng.choice(filled, evolution.children)] for _ in range(2))
            children = _children(one, other, categorical, evolution, rng)
        else:
            children = rng.random((evolution.children, first.shape[1]))
        archive, genes = _settled(archive, genes, children, *judge(children))
    return Illumination(archive, genes)


def _settled(
    archive: Archive, genes: np.ndarray, candidates: np.ndarray, scores: np.ndarray, cells: np.ndarray
) -> tuple[Archive, np.ndarray]:
    settled = archive.added(scores, cells, np.arange(len(candidates)))
    changed = np.flatnonzero(settled.scores > archive.scores)
    genes = genes.copy()
    genes[changed] = candidates[settled.holders[changed]]
    return settled, genes


def _children(
    one: np.ndarray, other: np.ndarray, categorical: np.ndarray, evolution: Evolution, rng: np.random.Generator
) -> np.ndarray:
    """(n, genes) parents -> (n, genes). What leaves a range is reflected into it."""
    along = rng.normal(0, _LINE, (len(one), 1)) * (other - one)
    moved = one + rng.normal(0, evolution.sigma, one.shape) + along
    moved = 1 - np.abs(1 - np.abs(moved) % 2)
    chance = rng.random(one.shape)
    categories = np.where(chance < evolution.redrawn, rng.random(one.shape), one)
    categories = np.where(chance > 1 - evolution.redrawn, other, categories)
    return np.where(categorical, categories, moved)

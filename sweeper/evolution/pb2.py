"""PB2: what is taken over goes on with what a Gaussian process expects the largest gain of, at this time of a life.

Source: Parker-Holder et al. 2020, arXiv:2002.02518. Their kernel lets what was seen fade by a fixed rate; here time is
a dimension of the kernel, and how fast it fades is learned like every other length. As in the authors' code a gain
depends on the score that it began at, too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any

import numpy as np

from sweeper.evolution.method import Dimensions, Method, Past, check, drawn
from sweeper.evolution.told import Told
from sweeper.records.lineage import Place
from sweeper.sail import gaussian_process
from sweeper.sail.genome import Genome

FEW = 3  # gains, below which there is nothing to learn from
MANY = 100  # gains: how alike they are is learned from the latest ones, for that takes time; all of them are known


@dataclass(frozen=True)
class PB2(Method):
    kappa: float  # deviations above the mean that a candidate is credited with
    candidates: int

    def __post_init__(self):
        super().__post_init__()
        check("kappa", self.kappa, "number", 0)
        check("candidates", self.candidates, "whole number", 1, whole=True)

    def explore(self, parent: Told, dimensions: Dimensions, past: Past, rng: np.random.Generator) -> dict[str, Any]:
        """The candidate with the highest upper confidence bound on its gain, if what runs now gains as expected."""
        seen = _Seen(dimensions, past.told, self.quorum)
        if len(seen.gains) < FEW:
            return drawn(dimensions, rng)
        genes = rng.random((self.candidates, len(dimensions)))
        kernel = gaussian_process.fit(seen.features[-MANY:], seen.gains[-MANY:], seen.groups).kernel
        process = gaussian_process.fit(seen.features, seen.gains, seen.groups, start=kernel, learn=False)
        waiting = [seen.at(place, values) for place, values in past.running if seen.knows(place)]
        if waiting:
            believed = np.concatenate([seen.features, waiting])
            gains = np.concatenate([seen.gains, process.predict(np.array(waiting))])
            process = gaussian_process.fit(believed, gains, seen.groups, start=kernel, learn=False)
        context = seen.context(parent.place.segment + 1, parent.score)
        features = np.hstack([seen.genome.features(genes), np.tile(context, (len(genes), 1))])
        mean, deviation = process.predict_with_deviation(features)
        best = int(np.argmax(mean + self.kappa * deviation))
        return seen.genome.decode(genes[best : best + 1])[0]


class _Seen:
    """The gains of all segments, each less the mean gain of that segment: early ones gain most, whatever they do.

    A segment of which fewer than `quorum` are known is left out: their mean would say nothing, and a lone gain be 0.
    """

    def __init__(self, dimensions: Dimensions, told: Sequence[Told], quorum: int):
        self.genome = Genome(dimensions)
        self.scores = {(one.place.member, one.place.segment): one.score for one in told if not one.is_lost}
        self._last = max((one.place.segment for one in told), default=1)
        self._means, self._deviations = _by_segment(fmean, self.scores), _by_segment(pstdev, self.scores)
        begun = [one for one in told if not one.is_lost and self.knows(one.place)]
        counts = Counter(one.place.segment for one in begun)
        known = [one for one in begun if counts[one.place.segment] >= quorum]
        raw = {(one.place.member, one.place.segment): one.score - self._begun(one.place) for one in known}
        means = _by_segment(fmean, raw)
        self.gains = np.array([gain - means[segment] for (_, segment), gain in raw.items()])
        self.features = np.array([self.at(one.place, one.values) for one in known])
        count = len(dimensions)
        self.groups = np.array([*self.genome.groups, count, count + 1])

    def at(self, place: Place, values: Mapping[str, Any]) -> np.ndarray:
        """(features,) of a segment: its hyperparameters, when it is, and the score that it began at."""
        own = self.genome.features(self.genome.encode([values]))[0]
        return np.concatenate([own, self.context(place.segment, self._begun(place))])

    def context(self, segment: int, begun: float) -> np.ndarray:
        """(2,): the time, and how many deviations the score at its beginning was above the mean then."""
        above = begun - self._means.get(segment - 1, begun)
        return np.array([segment / (self._last + 1), above / (self._deviations.get(segment - 1) or 1.0)])

    def knows(self, place: Place) -> bool:
        """The score that it began at."""
        return place.parent is None or place.before in self.scores

    def _begun(self, place: Place) -> float:
        """The score at its beginning; all lives begin with the same weights."""
        return 0.0 if place.parent is None else self.scores[place.before]


def _by_segment(of: Callable[[Sequence[float]], float], by_place: Mapping[tuple[int, int], float]) -> dict[int, float]:
    """by_place: by member and segment."""
    values = defaultdict(list)
    for (_, segment), value in by_place.items():
        values[segment].append(value)
    return {segment: of(each) for segment, each in values.items()}

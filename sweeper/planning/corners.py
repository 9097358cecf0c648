"""The corners of a search space: the few trials that tell what all of them will cost, and which of them would fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product, zip_longest
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from sweeper.config import refused
from sweeper.errors import ConfigError
from sweeper.search.space import Dimensions, Space

COSTLY = ("model", "dataset", "augment", "trainer")  # config groups whose values change what a step costs
LOW, MIDDLE, HIGH = 0.0, 0.5, 1.0  # shares of the way through a dimension


@dataclass(frozen=True)
class Corner:
    params: dict[str, Any]  # by override key, in a trial's order
    problem: str | None = None  # why there is no such trial: an option that does not exist, an empty range in its file


def sample(space: Space, most: int) -> list[Corner]:
    """Different corners, what matters most first, so that a low `most` leaves out what tells least.

    Each option of each searched config group once, everything else in the middle; those options with all dimensions at
    their low ends, then at their high ends; the other combinations of options; then one dimension at a time at its
    ends, those that change the cost of a step first.
    most: corners, but never fewer than cover the options.
    """
    wanted = max(most, len(space.covering()))
    distinct: dict[str, Corner] = {}
    for corner in _in_order(space):
        distinct.setdefault(repr(sorted(corner.params.items())), corner)
        if len(distinct) == wanted:
            break
    return list(distinct.values())


def at(of: BaseDistribution, share: float) -> Any:
    """The value that lies that share of the way from the low end to the high one; of an even number of categories in
    the middle, the one before."""
    if isinstance(of, CategoricalDistribution):
        return of.choices[int(share * (len(of.choices) - 1))]
    if share in (LOW, HIGH):
        return of.low if share == LOW else of.high
    value = of.low * (of.high / of.low) ** share if of.log else of.low + share * (of.high - of.low)
    if of.step:
        value = of.low + round((value - of.low) / of.step) * of.step
    return int(value) if isinstance(of, IntDistribution) else float(f"{value:.6g}")


def _in_order(space: Space) -> Iterator[Corner]:
    covering = space.covering()
    for choices in covering:
        yield _corner(space, choices, MIDDLE)
    for choices in covering:
        yield _corner(space, choices, LOW)
        yield _corner(space, choices, HIGH)
    for options in product(*(space.typed[key].choices for key in space.groups)):
        yield _corner(space, dict(zip(space.groups, options, strict=True)), MIDDLE)
    for abreast in zip_longest(*(_one_at_a_time(space, choices) for choices in covering)):
        yield from filter(None, abreast)


def _one_at_a_time(space: Space, choices: Mapping[str, Any]) -> Iterator[Corner]:
    middle = _corner(space, choices, MIDDLE)
    if middle.problem:
        return
    dimensions = _dimensions(space, choices)
    for key in sorted(dimensions, key=lambda key: key.lstrip("+").partition(".")[0] not in COSTLY):
        for end in (LOW, HIGH):
            yield Corner(middle.params | {key: at(dimensions[key], end)})


def _corner(space: Space, choices: Mapping[str, Any], share: float) -> Corner:
    try:
        dimensions = _dimensions(space, choices)
    except (ConfigError, *refused.ERRORS) as error:
        told = error if isinstance(error, ConfigError) else refused.as_ours(error)
        return Corner(dict(choices), problem=f"ConfigError: {told}")
    return Corner({**choices, **{key: at(of, share) for key, of in dimensions.items()}})


def _dimensions(space: Space, choices: Mapping[str, Any]) -> Dimensions:
    """All but the config groups. Raises: HydraException or ConfigError if the files of `choices` cannot be read."""
    typed = {key: of for key, of in space.typed.items() if key not in choices}
    return typed | {key: brought.distribution for key, brought in space.of_groups(dict(choices)).items()}

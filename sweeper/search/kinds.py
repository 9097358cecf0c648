"""What the value of a setting may be: a kind knows its values, and how an error asks for one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweeper.errors import ConfigError


@dataclass(frozen=True)
class Kind:
    wanted: str  # after `give`
    fits: Callable[[Any], bool]

    def check(self, key: str, value: Any) -> None:
        """Raises: ConfigError if `hydra.sweeper.key` cannot be this value."""
        if not self.fits(value):
            raise ConfigError(f"hydra.sweeper.{key}={'null' if value is None else value}: give {self.wanted}.")


def whole(low: int) -> Kind:
    return Kind(f"a whole number of at least {low}", lambda value: type(value) is int and value >= low)


def or_null(kind: Kind) -> Kind:
    return Kind(f"{kind.wanted}, or null", lambda value: value is None or kind.fits(value))


def is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_direction(value: Any) -> bool:
    names = value if is_list(value) else [value]
    return len(names) > 0 and all(name in ("minimize", "maximize") for name in names)


def _are_trials(value: Any) -> bool:
    return is_list(value) and len(value) > 0 and all(type(number) is int and number >= 0 for number in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_seconds(value: Any) -> bool:
    return _is_number(value) and 0 < value < math.inf


def _are_enqueued(value: Any) -> bool:
    named = value is None or isinstance(value, str)
    return named or (isinstance(value, Sequence) and all(isinstance(each, Mapping) for each in value))


FLAG = Kind("true or false", lambda value: isinstance(value, bool))
SECONDS = Kind("seconds above 0", _are_seconds)
SHARE = Kind("a share from 0.0 to 1.0", lambda value: _is_number(value) and 0 <= value <= 1)
TEXT = Kind("a text", lambda value: isinstance(value, str))
DIRECTION = Kind("minimize or maximize, or a list of them", _is_direction)
RANGES = Kind("ranges by key, {hparams.lr: 'interval(1e-4, 1e-2)'}", lambda value: isinstance(value, Mapping))
GROUPS = Kind("a list, [model, hparams]", is_list)
TRIALS = Kind("numbers of trials, [3,17], or how many of the best", _are_trials)
ENQUEUED = Kind("a list of values by key, [{hparams.lr: 1e-3}], or the ID of an earlier sweep", _are_enqueued)

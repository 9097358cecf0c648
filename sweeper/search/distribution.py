"""A range in Hydra's words as Optuna's distribution, and what Optuna draws from it as an override for Hydra."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override, Quote, QuotedString, RangeSweep, Transformer
from hydra.errors import HydraException
from optuna import Trial
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from sweeper.errors import ConfigError

MOST = 1_000_000  # values of a range that are listed
LARGEST = 2**63  # Optuna's databases hold no larger whole numbers
_NO_TEXT = {"null", "true", "false", "nan", "inf"}
_LITERAL = ("[", "{", "'")  # how a category begins that Hydra reads as it stands


def distribution(parsed: Override) -> BaseDistribution:
    """What Optuna draws from for a sweep override: interval, range, choice, `a,b,c` or glob, tagged or shuffled.

    Raises: ConfigError if it is empty or too large, or a logarithm is asked of what is not positive.
    """
    try:
        return _distribution(parsed)
    except (ValueError, OverflowError, TypeError, HydraException) as error:  # Optuna's, and those of casts to numbers
        raise ConfigError(f"{parsed.input_line} cannot be searched: {error}") from error


def _distribution(parsed: Override) -> BaseDistribution:
    sweep = parsed.value()
    if not parsed.is_sweep_override():
        raise ConfigError(f"{parsed.input_line} is no range. Give one, for instance choice(16, 32) or interval(0, 1).")
    match sweep:
        case IntervalSweep():
            return _interval(parsed, sweep)
        case RangeSweep(shuffle=False):
            return _range(parsed, _cast(sweep))
        case RangeSweep():
            _values(parsed, _cast(sweep))
    choices = tuple(parsed.sweep_iterator(_category))
    if not choices:
        raise ConfigError(f"{parsed.input_line} leaves nothing to choose from. Give at least one value.")
    return CategoricalDistribution(choices)


def suggest(trial: Trial, key: str, of: BaseDistribution) -> Any:
    match of:
        case CategoricalDistribution():
            return trial.suggest_categorical(key, of.choices)
        case IntDistribution():
            return trial.suggest_int(key, of.low, of.high, step=of.step, log=of.log)
        case FloatDistribution():
            return trial.suggest_float(key, of.low, of.high, step=of.step, log=of.log)
    raise TypeError(f"{key}: no way to draw from {of}")


def first(of: BaseDistribution) -> Any:
    """The lowest of its numbers, or the first of its categories."""
    return of.choices[0] if isinstance(of, CategoricalDistribution) else of.low


def holds(of: BaseDistribution, value: Any) -> bool:
    """Whether it can be drawn from `of`."""
    if isinstance(of, CategoricalDistribution):
        return any(value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in of.choices)
    if isinstance(value, bool) or not isinstance(value, int | float) or not of.low <= value <= of.high:
        return False
    steps = (value - of.low) / of.step if of.step else 0.0
    return abs(steps - round(steps)) < 1e-8


def describe(of: BaseDistribution) -> str:
    """The values that can be drawn, for people."""
    if isinstance(of, CategoricalDistribution):
        return ", ".join(map(str, of.choices))
    step = f" in steps of {of.step:g}" if of.step else ""
    return f"the numbers from {of.low:g} to {of.high:g}{step}"


def override(key: str, category: Any) -> str:
    """`key=value` such that Hydra reads back exactly the value that `distribution` made this category of."""
    is_literal = isinstance(category, str) and category.startswith(_LITERAL)
    return f"{key}={category if is_literal else element(category)}"


def element(value: Any) -> str:
    """A number, text, truth value or None as Hydra reads it back within a list or a dict."""
    match value:
        case None:
            return "null"
        case str():
            return value if _is_plain(value) else _quoted(value)
        case bool():
            return str(value).lower()
    return str(value)


def _interval(parsed: Override, sweep: IntervalSweep) -> BaseDistribution:
    low, high, log = sweep.start, sweep.end, "log" in sweep.tags
    _check_finite(parsed, low, high)
    if not low < high:
        raise ConfigError(
            f"{parsed.input_line}: interval({low}, {high}) is empty. "
            f"Give low < high, for instance interval({high}, {low})."
        )
    _check_log(parsed, low, log)
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def _cast(sweep: RangeSweep) -> RangeSweep:
    """`float(range(1, 4))` as `range(1.0, 4.0)`, which Hydra before 1.4 has made of it already."""
    bounds = sweep.start, sweep.stop, sweep.step
    for cast in getattr(sweep, "transformers", ()):
        bounds = tuple(map(cast, bounds))
    start, stop, step = bounds
    return RangeSweep(tags=sweep.tags, start=start, stop=stop, step=step, shuffle=sweep.shuffle)


def _range(parsed: Override, sweep: RangeSweep) -> BaseDistribution:
    """Ends with the last value that the range reaches: its stop is excluded, as Python's."""
    values = _values(parsed, sweep)
    low, high = sorted((values[0], values[-1]))
    step, log = abs(sweep.step), "log" in sweep.tags
    _check_log(parsed, low, log)
    if log and step != 1:
        raise ConfigError(f"{parsed.input_line}: a logarithmic range has no step. Drop the step, or list the values.")
    if isinstance(low, int):
        return IntDistribution(low, high, log=log, step=step)
    return FloatDistribution(low, high, step=float(step))


def _values(parsed: Override, sweep: RangeSweep) -> Sequence[float]:
    """In the order of the range, at least one. Raises: ConfigError if there are none, or more than can be listed."""
    bounds = sweep.start, sweep.stop, sweep.step
    _check_finite(parsed, *bounds)
    if not sweep.step:
        raise ConfigError(f"{parsed.input_line}: a step of 0 leads nowhere. Leave it out, or give another.")
    whole = all(isinstance(bound, int) for bound in bounds) and not sweep.shuffle
    if not whole and abs((sweep.stop - sweep.start) / sweep.step) > MOST:
        raise ConfigError(f"{parsed.input_line} has more than {MOST:,} values. Give a larger step, or an interval.")
    values = range(*bounds) if whole else list(sweep.range())
    if not values:
        raise ConfigError(f"{parsed.input_line} is empty: the stop is excluded. Give start < stop.")
    return values


def _check_finite(parsed: Override, *bounds: float) -> None:
    if not all(abs(bound) < LARGEST for bound in bounds):  # NaN is not, either
        raise ConfigError(f"{parsed.input_line}: its ends are no numbers below {LARGEST:g}. Give others.")


def _check_log(parsed: Override, low: float, log: bool) -> None:
    if log and low <= 0:
        raise ConfigError(f"{parsed.input_line}: a logarithm needs low > 0, got {low}. Raise it, or drop tag(log, …).")


def _category(value: Any) -> str | int | float | bool | None:
    """Optuna's categories are scalars: a list or a dict becomes its text, and a text that looks like one is quoted."""
    value = value.text if isinstance(value, QuotedString) else value
    if isinstance(value, str):
        return _quoted(value) if value.startswith(_LITERAL) else value
    return None if value is None else Transformer.encode(value)


def _is_plain(text: str) -> bool:
    """A word that Hydra takes for no number, truth value or null."""
    return re.fullmatch(r"[A-Za-z_][\w\-]*", text, re.ASCII) and text.lower() not in _NO_TEXT


def _quoted(text: str) -> str:
    return QuotedString(text, Quote.single).with_quotes()

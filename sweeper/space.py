"""The search space: the dimensions of a sweep, from config groups, `hydra.sweeper.params` and the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, Quote, QuotedString, RangeSweep, Transformer
from hydra.errors import HydraException
from omegaconf import DictConfig
from optuna import Trial
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from sweeper.errors import ConfigError

Dimensions = dict[str, BaseDistribution]  # by override key

_NO_TEXT = {"null", "true", "false", "nan", "inf"}
_LITERAL = ("[", "{", "'")  # how a category begins that Hydra reads as it stands


@dataclass(frozen=True)
class Brought:
    """A dimension from the `space` of a config group's file."""

    name: str  # Optuna's: `model.width@custom` while models are searched, for each has its own width
    distribution: BaseDistribution


@dataclass(frozen=True)
class Space:
    """Dimensions by override key. Those of a config group's own `space` exist only while that option is chosen."""

    fixed: tuple[str, ...]  # overrides of every trial
    typed: Dimensions  # from the command line and hydra.sweeper.params: present in every trial
    groups: tuple[str, ...]  # the keys of `typed` that choose a config group
    of_groups: Callable[[dict[str, Any]], dict[str, Brought]]  # group choices -> what their files bring

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """Draws a value for each active dimension: config groups first, they decide which others there are."""
        choices = {key: _suggest(trial, key, self.typed[key]) for key in self.groups}
        rest = {key: _suggest(trial, key, of) for key, of in self.typed.items() if key not in choices}
        brought = self.of_groups(choices)
        return choices | rest | {key: _suggest(trial, of.name, of.distribution) for key, of in brought.items()}

    def unconditional(self) -> Dimensions:
        """Raises: ConfigError if a config group is searched, so that the dimensions may differ from trial to trial."""
        if self.groups:
            raise ConfigError(
                f"hydra/sweeper/sampler=grid needs one space for all trials, but {', '.join(self.groups)} may bring "
                "its own. Choose another sampler, or sweep one option at a time."
            )
        return self.typed | {key: brought.distribution for key, brought in self.of_groups({}).items()}

    def overrides(self, params: Mapping[str, Any]) -> list[str]:
        """The fixed and the drawn values as Hydra's command line takes them."""
        return [*self.fixed, *(override(key, value) for key, value in params.items())]


def build(
    arguments: Iterable[str],
    params: Mapping[str, Any] | None,
    spaces: Collection[str] | None,
    loader: ConfigLoader,
    compose: Callable[[list[str]], DictConfig],
) -> Space:
    """The space of `python -m sweeper -m ARGUMENTS`.

    params: `hydra.sweeper.params`, {key: override value}; an argument of the same key wins, a constant fixes it.
    spaces: the config groups whose files' own `space` is searched; None = all.
    compose: overrides -> the composed config.
    Raises: ConfigError if a value cannot be parsed, a dimension is empty, or there is none.
    """
    given = parse(arguments, loader)
    taken = {parsed.key_or_group for parsed in given.values()}
    defaults = parse((_line(key, value) for key, value in (params or {}).items()), loader, "hydra.sweeper.params: ")
    typed = {key: parsed for key, parsed in defaults.items() if parsed.key_or_group not in taken} | given
    swept = {key: distribution(parsed) for key, parsed in typed.items() if parsed.is_sweep_override()}
    fixed = tuple(parsed.input_line for key, parsed in typed.items() if key not in swept)
    groups = tuple(key for key in swept if loader.get_group_options(typed[key].key_or_group))
    taken |= {parsed.key_or_group for parsed in typed.values()}
    known: dict[tuple, dict[str, Brought]] = {}

    def of_groups(choices: dict[str, Any]) -> dict[str, Brought]:
        chosen = tuple(sorted(choices.items()))
        if chosen not in known:
            config = compose([*fixed, *(override(key, value) for key, value in chosen)])
            ranges = {key: of for key, of in _spaces(config, spaces).items() if key not in taken}
            found = parse((_line(key, value) for key, (_, value) in ranges.items()), loader, "space: ")
            known[chosen] = {
                key: Brought(_name(key, ranges[key][0], choices), distribution(parsed)) for key, parsed in found.items()
            }
        return known[chosen]

    if not swept and not of_groups({}):
        raise ConfigError(
            "There is nothing to search: every value is fixed. Add hparams=search for the default ranges, or a range "
            "of your own such as 'hparams.lr=tag(log, interval(1e-4, 1e-2))'; without -m one training runs."
        )
    return Space(fixed, swept, groups, of_groups)


def parse(lines: Iterable[str], loader: ConfigLoader, origin: str = "") -> dict[str, Override]:
    """Override strings by key, the last of a key winning. Hydra's own settings (`hydra.…`) are left out."""
    parser = OverridesParser.create(config_loader=loader)
    found = {}
    for line in lines:
        try:
            parsed = parser.parse_overrides([line])[0]  # only the plural form knows the loader, which a glob needs
        except HydraException as error:
            raise ConfigError(f"{origin}{line} cannot be read: {error}") from None
        if not parsed.is_hydra_override():
            found[parsed.get_key_element()] = parsed
    return found


def distribution(parsed: Override) -> BaseDistribution:
    """What Optuna draws from for a sweep override: interval, range, choice, `a,b,c` or glob, tagged or shuffled.

    Raises: ConfigError if it is empty, or a logarithm is asked of what is not positive.
    """
    sweep = parsed.value()
    if not parsed.is_sweep_override():
        raise ConfigError(f"{parsed.input_line} is no range. Give one, for instance choice(16, 32) or interval(0, 1).")
    match sweep:
        case IntervalSweep():
            return _interval(parsed, sweep)
        case RangeSweep(shuffle=False):
            return _range(parsed, sweep)
    choices = tuple(parsed.sweep_iterator(_category))
    if not choices:
        raise ConfigError(f"{parsed.input_line} leaves nothing to choose from. Give at least one value.")
    return CategoricalDistribution(choices)


def override(key: str, category: Any) -> str:
    """`key=value` such that Hydra reads back exactly the value that `distribution` made this category of."""
    match category:
        case None:
            return f"{key}=null"
        case str() if not category.startswith(_LITERAL):
            return f"{key}={category if _is_plain(category) else _quoted(category)}"
        case bool():
            return f"{key}={str(category).lower()}"
    return f"{key}={category}"


def _line(key: str, value: Any) -> str:
    return f"{key}={value}" if isinstance(value, str) else override(key, value)


def _name(key: str, group: str, choices: Mapping[str, Any]) -> str:
    """Optuna's name of a dimension that a group's file brings."""
    option = choices.get(group) or choices.get(f"+{group}")
    return f"{key}@{option}" if option else key


def _interval(parsed: Override, sweep: IntervalSweep) -> BaseDistribution:
    low, high, log = sweep.start, sweep.end, "log" in sweep.tags
    if not low < high:
        raise ConfigError(
            f"{parsed.input_line}: interval({low}, {high}) is empty. "
            f"Give low < high, for instance interval({high}, {low})."
        )
    _check_log(parsed, low, log)
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def _range(parsed: Override, sweep: RangeSweep) -> BaseDistribution:
    """Ends with the last value that the range reaches: its stop is excluded, as Python's."""
    values = sorted(sweep.range())
    if not values:
        raise ConfigError(f"{parsed.input_line} is empty: the stop is excluded. Give start < stop.")
    low, high, step, log = values[0], values[-1], abs(sweep.step), "log" in sweep.tags
    _check_log(parsed, low, log)
    if log and step != 1:
        raise ConfigError(f"{parsed.input_line}: a logarithmic range has no step. Drop the step, or list the values.")
    if isinstance(low, int):
        return IntDistribution(low, high, log=log, step=step)
    return FloatDistribution(low, high, step=float(step))


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


def _suggest(trial: Trial, key: str, of: BaseDistribution) -> Any:
    match of:
        case CategoricalDistribution():
            return trial.suggest_categorical(key, of.choices)
        case IntDistribution():
            return trial.suggest_int(key, of.low, of.high, step=of.step, log=of.log)
        case FloatDistribution():
            return trial.suggest_float(key, of.low, of.high, step=of.step, log=of.log)
    raise TypeError(f"{key}: no way to draw from {of}")


def _spaces(config: DictConfig, groups: Collection[str] | None) -> dict[str, tuple[str, str]]:
    """The ranges in the `space` of config groups, by override key: {"hparams.lr": ("hparams", "interval(1e-4, 1e-2)")}.

    `/hparams.lr` in an optimizer's file is that optimizer's own range of hparams.lr, before the one of hparams.
    """
    own, absolute = {}, {}
    for group, node in config.items():
        if not isinstance(node, DictConfig) or "space" not in node or (groups is not None and group not in groups):
            continue
        for key, value in (node.space or {}).items():
            if key.startswith("/"):
                absolute[key[1:]] = group, value
            else:
                own[f"{group}.{key}"] = group, value
    return own | absolute

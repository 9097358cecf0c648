"""The search space: the dimensions of a sweep, from config groups, `hydra.sweeper.params` and the command line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import HydraContext
from omegaconf import DictConfig
from optuna import Trial
from optuna.distributions import BaseDistribution

from sweeper.config import refused
from sweeper.errors import ConfigError
from sweeper.search.distribution import distribution, first, holds, override, suggest
from sweeper.search.settings import Settings

Dimensions = dict[str, BaseDistribution]  # by override key


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
        choices = {key: suggest(trial, key, self.typed[key]) for key in self.groups}
        rest = {key: suggest(trial, key, of) for key, of in self.typed.items() if key not in choices}
        brought = self.of_groups(choices)
        return choices | rest | {key: suggest(trial, of.name, of.distribution) for key, of in brought.items()}

    def dimensions(self, values: Mapping[str, Any]) -> dict[str, Brought]:
        """By override key, those of a trial with these values. What a searched group's options bring is among them
        only if `values` choose an option of each such group."""
        typed = {key: Brought(key, of) for key, of in self.typed.items()}
        choices = {key: values[key] for key in self.groups if key in values and holds(self.typed[key], values[key])}
        return typed | (self.of_groups(choices) if len(choices) == len(self.groups) else {})

    def covering(self) -> list[dict[str, Any]]:
        """Choices of the searched config groups, as few as have each option of each group; one of none without any."""
        options = {key: self.typed[key].choices for key in self.groups}
        rounds = max((len(choices) for choices in options.values()), default=1)
        return [{key: choices[turn % len(choices)] for key, choices in options.items()} for turn in range(rounds)]

    def union(self) -> Dimensions:
        """All dimensions by Optuna's names, also those that only some options of the searched config groups bring."""
        brought = (of for choices in self._options() for of in self.of_groups(choices).values())
        return self.typed | {of.name: of.distribution for of in brought}

    def active(self, choices: Mapping[str, Any]) -> set[str]:
        """Names of the dimensions that exist where `choices` are those of the config groups."""
        return {*self.typed, *(of.name for of in self.of_groups(dict(choices)).values())}

    def unconditional(self) -> Dimensions:
        """Raises: ConfigError if the dimensions differ from option to option of the config groups that are searched."""
        one, *others = (self.of_groups(choices) for choices in self._options())
        if any(brought != one for brought in others):
            raise ConfigError(
                "hydra/sweeper/sampler=grid needs one space for all trials, but each option of "
                f"{', '.join(self.groups)} brings its own. Choose another sampler, or sweep one option at a time."
            )
        return self.typed | {key: brought.distribution for key, brought in one.items()}

    def _options(self) -> Iterator[dict[str, Any]]:
        """Each combination of the options of the config groups that are searched."""
        for chosen in product(*(self.typed[key].choices for key in self.groups)):
            yield dict(zip(self.groups, chosen, strict=True))

    def fixed_values(self) -> Iterator[tuple[str, str]]:
        """Keys and values, as text, of the overrides that every trial has."""
        for line in self.fixed:
            key, assigned, value = line.partition("=")
            if assigned:
                yield key, value

    def by_key(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """Values by Optuna's names -> by override key."""
        choices = {key: drawn[key] for key in self.groups}
        keys = {of.name: key for key, of in self.of_groups(choices).items()}
        return {keys.get(name, name): value for name, value in drawn.items()}

    def overrides(self, params: Mapping[str, Any]) -> list[str]:
        """The fixed and the drawn values as Hydra's command line takes them."""
        return [*self.fixed, *(override(key, value) for key, value in params.items())]


def read(settings: Settings, arguments: Iterable[str], config: DictConfig, context: HydraContext) -> Space:
    """That of a sweep. config: composed from the arguments, the ranges left out. Raises: ConfigError as `build`."""
    loader = context.config_loader
    compose = partial(loader.load_sweep_config, config)
    return build(arguments, settings.params, settings.spaces, loader, compose)


def build(
    arguments: Iterable[str],
    params: Mapping[str, Any] | None,
    spaces: Collection[str] | None,
    loader: ConfigLoader,
    compose: Callable[[list[str]], DictConfig],
) -> Space:
    """The space of `python -m sweeper -m ARGUMENTS`.

    params: `hydra.sweeper.params`, {key: override value}; an argument of the same key wins, a constant fixes it.
    spaces: the config groups whose files' own `space` is searched; None = all. A part of one, `model.architecture`,
        only if it is named.
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


def check(space: Space, compose: Callable[[list[str]], DictConfig]) -> None:
    """Composes each option of each searched config group once, with all that was typed: before a sweep leaves anything.

    Raises: ConfigError naming the options with which Hydra refuses it.
    """
    rest = {key: first(of) for key, of in space.typed.items() if key not in space.groups}
    for choices in space.covering():
        try:
            compose(space.overrides({**choices, **rest}))
        except refused.ERRORS as error:
            chosen = " ".join(f"{key.lstrip('+')}={option}" for key, option in choices.items())
            raise refused.as_ours(error, chosen) from None


def parse(lines: Iterable[str], loader: ConfigLoader, origin: str = "") -> dict[str, Override]:
    """Override strings by key, the last of a key winning. Hydra's own settings (`hydra.…`) are left out."""
    parser = OverridesParser.create(config_loader=loader)
    found = {}
    for line in lines:
        try:
            parsed = parser.parse_overrides([line])[0]  # only the plural form knows the loader, which a glob needs
        except (HydraException, ValueError, OverflowError, RecursionError) as error:  # a cast of no number, for one
            raise ConfigError(f"{origin}{line} cannot be read: {error}") from None
        if not parsed.is_hydra_override():
            found[parsed.get_key_element()] = parsed
    return found


def _line(key: str, value: Any) -> str:
    return f"{key}={value}" if isinstance(value, str) else override(key, value)


def _name(key: str, group: str, choices: Mapping[str, Any]) -> str:
    """Optuna's name of a dimension that a group's file brings."""
    option = choices.get(group) or choices.get(f"+{group}")
    return f"{key}@{option}" if option else key


def _spaces(config: DictConfig, asked: Collection[str] | None) -> dict[str, tuple[str, str]]:
    """The ranges in the `space` of config groups, by override key: {"hparams.lr": ("hparams", "interval(1e-4, 1e-2)")}.

    `/hparams.lr` in an optimizer's file is that optimizer's own range of hparams.lr, before the one of hparams.
    """
    own, absolute = {}, {}
    for group, node in config.items():
        if not isinstance(node, DictConfig) or "space" not in node:
            continue
        for key, value in _asked_for(group, node.space or {}, asked).items():
            if key.startswith("/"):
                absolute[key[1:]] = group, value
            else:
                own[f"{group}.{key}"] = group, value
    return own | absolute


def _asked_for(group: str, space: Mapping[str, Any], asked: Collection[str] | None) -> dict[str, Any]:
    """The ranges in the `space` of a group, by its keys, and those in its parts that `model.architecture` asks for."""
    ranges = {key: value for key, value in space.items() if not isinstance(value, Mapping)}
    found = ranges if asked is None or group in asked else {}
    for name, part in space.items():
        if isinstance(part, Mapping) and f"{group}.{name}" in (asked or ()):
            found = found | dict(part)
    return found

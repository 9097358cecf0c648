"""What Hydra has against a command line, in our words: one paragraph with what to type instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sweeper.errors import ConfigError

ERRORS = (HydraException, OmegaConfBaseException)  # what composing a config may raise
_EXTRAS = {"submitit_slurm": "slurm", "submitit_local": "slurm"}  # options of others' packages -> what installs them
_SEVERAL = re.compile(r"(?:Ambiguous value for argument|Sweep parameters) '(.*)'")


def as_ours(error: Exception, chosen: str = "") -> ConfigError:
    """chosen: the options of config groups that a sweep would combine with the rest of its command, model=alexnet."""
    if isinstance(error, OverrideParseException):
        told = (
            f"{error.override} cannot be read: {error.message.partition(chr(10))[0]}. "
            "Give KEY=VALUE, in quotes where it has brackets, spaces or $: 'KEY=[a, b]'"
        )
    elif isinstance(error, MissingConfigException) and error.options:
        group, _, option = (error.missing_cfg_file or "").rpartition("/")
        near = _meant(difflib.get_close_matches(option, error.options, 1))
        if option in _EXTRAS:
            near = f" It comes with pip install 'sweeper[{_EXTRAS[option]}]'."
        told = f"{group}={option}: there is no such option.{near} Choose from {', '.join(error.options)}."
    elif several := _SEVERAL.match(str(error)):
        told = f"{several[1]}: several values are a search. Put -m in front of it, or give one."
    else:
        told = _of_key(error.__cause__ or error, chosen) or _compact(error) + (chosen and f" (with {chosen})")
    return ConfigError(told)


def _of_key(error: BaseException, chosen: str) -> str | None:
    """None unless it is that a key does not exist."""
    node, key = getattr(error, "parent_node", None), getattr(error, "key", None)
    if not (isinstance(node, DictConfig) and isinstance(key, str) and "not in struct" in str(error)):
        return None
    full_key = str(error.full_key)
    above = full_key.removesuffix(key)
    keys = [str(name) for name in node if not str(name).startswith("_") and name not in ("space", "hydra")]
    near = [above + name for name in difflib.get_close_matches(key, keys, 1)]
    elsewhere = [above + name for name in _names(node) if name.rpartition(".")[2] == key]
    there_is = f"{above.rstrip('.') or 'The config'} has {', '.join(keys) or 'none'}."
    mend = f" Leave out {full_key}, or {chosen}." if chosen else ""
    where = f" with {chosen}" if chosen else ""
    return f"{full_key}: there is no such key{where}.{_meant(near or elsewhere)} {there_is}{mend}"


def _meant(near: Sequence[str]) -> str:
    return f" Do you mean {' or '.join(near)}?" if near else ""


def _names(node: DictConfig) -> Iterator[str]:
    """Dotted, of all keys below it that have values of their own."""
    for key in node:
        if key in ("hydra", "space") or OmegaConf.is_interpolation(node, key) or OmegaConf.is_missing(node, key):
            continue
        yield str(key)
        if isinstance(node[key], DictConfig):
            yield from (f"{key}.{name}" for name in _names(node[key]))


def _compact(error: BaseException) -> str:
    told, *_ = str(error).partition("Config search path")  # after what went wrong
    cause = str(error.__cause__).partition("\n")[0] if isinstance(error.__cause__, OmegaConfBaseException) else ""
    return " ".join(f"{told} {cause}".split())

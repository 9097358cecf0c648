"""Which Python names a config may call by `_target_`. Without such a list a config of a stranger could run anything.

What Hydra makes by itself (`hydra.callbacks`, `hydra.launcher`, its logging) is made before this code runs: a whole
config folder of a stranger stays as trustworthy as a script of theirs. A run's config.yaml, which others hand on, holds
none of it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from sweeper.errors import ConfigError, NotAllowed

NAMESPACES = {
    "model": ("sweeper.models.",),
    "dataset": ("sweeper.datasets.",),
    "optimizer": ("sweeper.training.optimizer.", "keras.optimizers."),
    "schedule": ("sweeper.training.schedule.",),
    "augment": ("sweeper.training.augment.",),
    "trainer": ("sweeper.training.trainer.",),
    "evolution": ("sweeper.evolution.",),
    "hydra.sweeper.sampler": ("optuna.samplers.", "sweeper."),
    "hydra.sweeper.pruner": ("optuna.pruners.", "sweeper."),
    "hydra.sweeper.storage": ("optuna.storages.",),
    "hydra.sweeper.executor": ("sweeper.",),
}
_FUNCTIONS = ("model", "dataset", "schedule", "augment")  # the others are classes: their packages' functions do more
_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")
_ENTRY = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*\.?")


def check(node: Any, key: str, allow: Sequence[str] = ()) -> None:
    """node: plain and resolved, of the config key `key`. allow: what the user permits beside NAMESPACES.

    Raises: ConfigError for a `_target_` in it, however deep, that is not permitted or leads elsewhere than it says,
    and for an interpolation, which could still become one.
    """
    for place, target in targets(node, key):
        if not (isinstance(target, str) and _NAME.fullmatch(target)):
            raise ConfigError(f"{place}={target}: not the dotted name of a function or class.")
        if not (_is_ours(target, key, place) or _is_theirs(target, allow, place)):
            kinds = "functions and classes" if key in _FUNCTIONS else "classes"
            known = " and ".join(namespace.rstrip(".") for namespace in NAMESPACES.get(key, ())) or "nothing"
            raise NotAllowed(
                f"{place}={target} is not called: only {kinds} of {known} are, for a config from a stranger could run "
                f"any code. If you trust it, type hydra.sweeper.allow=[{target}] (for export and reproduce: "
                f"--allow {target})."
            )


def function(path: Any, key: str, allow: Sequence[str] = ()) -> Callable[..., Any]:
    """The user's own function of that dotted path, which a key of hydra.sweeper names.

    Raises: ConfigError if there is none, or it is one of Python's own library or lies elsewhere than `path` says.
    """
    if not (isinstance(path, str) and _NAME.fullmatch(path)):
        raise ConfigError(f"{key}={path}: not the dotted name of a function.")
    if path not in allow and _top(path) in sys.stdlib_module_names:
        raise ConfigError(f"{key}={path}: not a function of your own. Give one by the module that defines it.")
    found = _found(path, key)
    if not callable(found) or not (path in allow or _lies_in(found, _top(path))):
        raise ConfigError(f"{key}={path}: not a function of your own. Give one by the module that defines it.")
    return found


def entries(given: Any) -> tuple[str, ...]:
    """`hydra.sweeper.allow` or `--allow`. Raises: ConfigError if it is no list of dotted names or prefixes."""
    listed = () if given is None else given
    is_list = isinstance(listed, Iterable) and not isinstance(listed, str)
    if not is_list or not all(isinstance(entry, str) and _ENTRY.fullmatch(entry) for entry in listed):
        raise ConfigError(
            f"hydra.sweeper.allow={given}: give a list of names, [my_project.layers.build], or of prefixes that end "
            "with a dot, [my_project.]"
        )
    return tuple(listed)


def typed() -> tuple[str, ...]:
    """`hydra.sweeper.allow` of the command that runs here, as Hydra holds it: no folder of a run has a say in it."""
    config = HydraConfig.instance().cfg
    return entries(None if config is None else OmegaConf.select(config, "hydra.sweeper.allow"))


def targets(node: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Places and values of all `_target_` in a node that is plain and resolved.

    Raises: ConfigError for an interpolation.
    """
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "_target_":
                yield f"{place}.{key}", value
            yield from targets(value, f"{place}.{key}")
    elif isinstance(node, list | tuple):
        for number, value in enumerate(node):
            yield from targets(value, f"{place}[{number}]")
    elif isinstance(node, str) and "${" in node:
        raise ConfigError(f"{place}={node}: an interpolation inside of a value. Give the value itself.")


def _is_ours(target: str, key: str, place: str) -> bool:
    """A public function or class at the top of a module: no method of it, and nothing that the module imported."""
    names = target.split(".")
    if not target.startswith(NAMESPACES.get(key, ())) or any(name.startswith("_") for name in names):
        return False
    found = _found(target, place)
    at_top = getattr(found, "__qualname__", None) == names[-1] and (isinstance(found, type) or key in _FUNCTIONS)
    return at_top and _lies_in(found, names[0])


def _is_theirs(target: str, allow: Sequence[str], place: str) -> bool:
    if target in allow:
        return True
    below = any(entry.endswith(".") and target.startswith(entry) for entry in allow)
    return below and _lies_in(_found(target, place), _top(target))


def _found(target: str, place: str) -> Any:
    """What Hydra will find under this name, too. Raises: ConfigError if there is nothing."""
    name, *rest = target.split(".")
    try:
        found = import_module(name)
        for part in rest:
            name = f"{name}.{part}"
            found = getattr(found, part) if hasattr(found, part) else import_module(name)
    except Exception as error:  # whatever a module does when it is imported
        raise ConfigError(f"{place}={target}: it cannot be found: {error}") from error
    return found


def _lies_in(found: Any, package: str) -> bool:
    return _top(getattr(found, "__module__", None) or "") == package


def _top(path: str) -> str:
    return path.partition(".")[0]

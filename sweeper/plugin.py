"""Makes Hydra know `hydra/sweeper=study` and the groups of samplers, pruners and executors that belong to it."""

from __future__ import annotations

from importlib import import_module, resources
from importlib.resources.abc import Traversable

from hydra.core.config_store import ConfigStore
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from omegaconf import OmegaConf

_PROVIDER = "sweeper"  # how Hydra names where a config comes from: `--info` shows it


def register() -> None:
    """For applications of an editable checkout, whose plugins Hydra does not find by itself."""
    Plugins.instance().register(import_module("hydra_plugins.sweeper").StudySweeper)
    store_groups(replace=True)


def store_groups(*, replace: bool = False) -> None:
    """Makes `hydra/sweeper=study`, its samplers, pruners and executors choosable in any application.

    They are no files of `conf`: hydra-optuna-sweeper has a `sampler/tpe` too, and Hydra would check ours against that.
    replace: what another sweeper has stored under the same words; else that one stays, and works.
    """
    _store(resources.files("sweeper") / "groups", "hydra/sweeper", replace)


def _store(folder: Traversable, group: str, replace: bool) -> None:
    store = ConfigStore.instance()
    for entry in folder.iterdir():
        path = f"{group}/{entry.name}"
        if entry.is_dir():
            _store(entry, path, replace)
        elif store.get_type(path) is ObjectType.NOT_FOUND or (replace and store.load(path).provider != _PROVIDER):
            node = OmegaConf.create(entry.read_text(encoding="utf-8"))
            store.store(name=entry.name, node=node, group=group, provider=_PROVIDER)

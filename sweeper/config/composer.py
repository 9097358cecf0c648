"""The config of a trial as Hydra composes it, in a twentieth of the time: its files are read once for many trials.

Hydra composes by choosing files by the config groups among the overrides, merging them, and setting the other overrides
in what came out. Trials mostly differ in the latter. So what the same groups came to is kept, and a copy of it gets the
rest by Hydra's own function. This file alone knows that Hydra has these parts: they are private, and where a version
lacks one, or refuses an override, Hydra composes the whole as ever and tells what it has against it.
"""

from __future__ import annotations

import copy
import os
import pickle
from collections.abc import Mapping, Sequence

import cloudpickle
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict


def relocated(loader: ConfigLoader, moved: Mapping[str, str]) -> ConfigLoader:
    """One that finds the files of folders that lie elsewhere now. moved: where each was -> where it is."""
    if not moved:
        return loader
    from hydra._internal.config_loader_impl import ConfigLoaderImpl

    search = copy.deepcopy(loader.get_search_path())
    for element in search.get_path():
        for before, now in moved.items():
            if element.path.startswith((f"file://{before}/", f"{before}/")):
                element.path = element.path.replace(before, now, 1)
    return ConfigLoaderImpl(search)


class Composer:
    """Composes trial after trial of one sweep. A file that changes meanwhile is read anew by no trial of its groups."""

    def __init__(self, loader: ConfigLoader, sweep: DictConfig):
        """sweep: what all trials share, as `load_sweep_config` takes it."""
        self._loader, self._sweep = loader, sweep
        self._is_group: dict[str, bool] = {}  # by the key of an override
        self._configs: dict[tuple[str, ...], bytes] = {}  # by the overrides that choose groups

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """What `load_sweep_config` returns. Raises: what it raises."""
        try:
            config = self._quickly(list(overrides))
        except Exception:
            config = None
        return self._loader.load_sweep_config(self._sweep, list(overrides)) if config is None else config

    def _quickly(self, overrides: list[str]) -> DictConfig | None:
        """None where more than values of the user's own config is at stake."""
        from hydra._internal.config_loader_impl import ConfigLoaderImpl

        parsed = OverridesParser.create().parse_overrides(overrides)
        if any(override.is_sweep_override() or "hydra" in override.key_or_group for override in parsed):
            return None
        groups = [override.input_line for override in parsed if self._chooses(override)]
        config = self._of_groups(groups)
        ConfigLoaderImpl._apply_overrides_to_config([each for each in parsed if not self._chooses(each)], config)
        _note(config, parsed, len(groups))
        OmegaConf.copy_cache(self._sweep, config)
        return config

    def _of_groups(self, overrides: list[str]) -> DictConfig:
        key = tuple(overrides)
        if key not in self._configs:
            # By value where the user's classes live in __main__, as the task may.
            self._configs[key] = cloudpickle.dumps(self._loader.load_sweep_config(self._sweep, overrides))
        return pickle.loads(self._configs[key])

    def _chooses(self, override: Override) -> bool:
        """Whether it chooses files, as Hydra tells it: a dictionary is merged into what a group came to."""
        key = override.key_or_group
        if key not in self._is_group:
            hydras = OmegaConf.to_container(self._sweep.hydra.overrides.hydra)  # one may add folders to search
            name = self._sweep.hydra.job.config_name
            _, files = self._loader._parse_overrides_and_create_caching_repo(name, hydras)
            self._is_group[key] = files.group_exists(key)
        return self._is_group[key] and not isinstance(override.value(), dict)


def _note(config: DictConfig, overrides: Sequence[Override], noted: int) -> None:
    """What Hydra writes into its own node by all overrides. noted: how many of them stand at its end already."""
    hydra = config.hydra
    earlier = hydra.overrides.task[: len(hydra.overrides.task) - noted]
    hydra.overrides.task = [*earlier, *(override.input_line for override in overrides)]
    hydra.runtime.cwd = os.getcwd()
    with open_dict(hydra):
        for key in hydra.job.env_copy:
            hydra.job.env_set[key] = os.environ[key]
    if not OmegaConf.is_interpolation(hydra.job, "override_dirname"):  # as of Hydra 1.4
        from hydra._internal.config_loader_impl import get_overrides_dirname

        keys = hydra.job.config.override_dirname
        hydra.job.override_dirname = get_overrides_dirname(
            overrides=list(overrides), exclude_keys=keys.exclude_keys, item_sep=keys.item_sep, kv_sep=keys.kv_sep
        )

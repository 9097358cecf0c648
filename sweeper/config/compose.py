"""A config from overrides, outside of Hydra's own command line."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, open_dict

from sweeper import plugin
from sweeper.config import refused
from sweeper.errors import ConfigError


def add_overrides(parser: ArgumentParser, example: str) -> None:
    parser.add_argument(
        "overrides",
        metavar="KEY=VALUE",
        nargs="*",
        help=f"as for `python -m sweeper`, for instance {example}",
    )


def composed(overrides: Sequence[str], folder: Path | None = None) -> DictConfig:
    """folder: of the user's own configs, as --config-dir names it.

    Raises: ConfigError if Hydra does not know a group, option or key of `overrides`, or there is no such folder.
    """
    plugin.register()
    if folder and not folder.is_dir():
        raise ConfigError(f"--config-dir {folder}: no such folder here. Go to the one that it was typed in.")
    place = str(folder.absolute()).replace("'", "\\'") if folder else ""
    found = [f"hydra.searchpath=['file://{place}']"] if folder else []
    try:
        with initialize_config_module("sweeper.conf", version_base="1.3"):
            config = compose("config", [*found, *overrides], return_hydra_config=True)
    except refused.ERRORS as error:
        raise refused.as_ours(error) from None
    HydraConfig.instance().set_config(config)  # as it is in a training: hydra.sweeper.allow is asked for there
    with open_dict(config):
        del config["hydra"]
    return config


def of_sweep(overrides: Sequence[str]) -> tuple[HydraContext, DictConfig]:
    """What `python -m sweeper -m OVERRIDES` gives its sweeper: `hydra` is in the config, ranges are only in
    `hydra.overrides.task`. The user's callbacks hear of nothing.

    Raises: ConfigError if Hydra does not know a group, option or key of `overrides`.
    """
    plugin.register()
    try:
        with initialize_config_module("sweeper.conf", version_base="1.3"):
            loader = GlobalHydra.instance().config_loader()
            config = loader.load_configuration("config", list(overrides), run_mode=RunMode.MULTIRUN)
    except refused.ERRORS as error:
        raise refused.as_ours(error) from None
    HydraConfig.instance().set_config(config)
    return HydraContext(loader, Callback()), config  # Hydra's own, which does nothing

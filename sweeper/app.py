"""The command line: `python -m sweeper` trains or sweeps through Hydra, `python -m sweeper COMMAND` does the rest."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from sweeper import plugin
from sweeper.errors import SweeperError

COMMANDS = {
    "show": "draw a picture of a data set, or of what an augmentation makes of it",
    "summary": "list the layers of a network with their parameters and operations",
    "plan": "try the corners of a sweep first: its time, memory and energy, and what in it would fail",
    "leaderboard": "rank the trials of one sweep or of all",
    "report": "write a sweep as one page for the browser",
    "replay": "write to MLflow what it lacks of a sweep",
    "export": "write a trained network as a file for others, checked against the original",
    "predict": "name the class of images with an exported network",
}


def train(cfg: DictConfig, report: Callable[..., bool] | None = None, kept: dict[str, Any] | None = None) -> Any:
    """The task that Hydra runs: a trial where a sweep listens to reports, else one training with records of its own."""
    from sweeper import secret, single, trial  # not before: `--help` needs none of it

    folder = Path(HydraConfig.get().runtime.output_dir)
    if report:
        return trial.run(cfg, report, folder, kept)
    secret.hide_in_output(HydraConfig.get())
    try:
        return single.run(cfg, folder)
    except SweeperError as error:
        if "HYDRA_FULL_ERROR" in os.environ:
            raise
        sys.exit(_told(error))
    except KeyboardInterrupt:
        sys.exit(130)


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # warnings and errors of TensorFlow only
    if len(sys.argv) > 1 and sys.argv[1] in COMMANDS:
        sys.exit(_command(sys.argv[1], sys.argv[2:]))
    plugin.register()
    try:
        hydra.main(version_base="1.3", config_path="pkg://sweeper.conf", config_name="config")(train)()
    except SystemExit as end:
        composed = HydraConfig.initialized()
        sys.exit(2 if end.code == 1 and not composed else end.code)  # Hydra says 1 also of a bad command line


def _command(name: str, arguments: list[str]) -> int:
    command = importlib.import_module(f"sweeper.{name}")
    parser = argparse.ArgumentParser(prog=f"python -m sweeper {name}", description=COMMANDS[name])
    command.add_arguments(parser)
    try:
        return command.run(parser.parse_args(arguments))
    except SweeperError as error:
        return _told(error)


def _told(error: SweeperError) -> int:
    print(f"\n{error}", file=sys.stderr)
    return error.exit_code

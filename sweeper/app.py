"""The command line: `python -m sweeper` trains or sweeps through Hydra, `python -m sweeper COMMAND` does the rest."""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import hydra
from hydra._internal import utils
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from sweeper import plugin
from sweeper.commands import completion
from sweeper.config import refused
from sweeper.engine import mishap

COMMANDS = {
    "show": "draw a data set, or what an augmentation makes of it",
    "summary": "list the layers of a network, their parameters and operations",
    "plan": "tell what a sweep will cost, and what in it would fail",
    "status": "follow a sweep that runs, from another terminal",
    "stop": "end a sweep that runs, with everything told and saved",
    "best": "name the best network within budgets, and the command that exports it",
    "map": "draw the best trials by what they cost, and what is expected elsewhere",
    "verify": "train the cells of that map that promise most, and compare",
    "leaderboard": "rank the trials of one sweep or of all",
    "report": "write a sweep as one page for the browser",
    "confirm": "train the best of a sweep anew, and rank them by the test data",
    "ui": "open MLflow's pages of the sweeps, for this machine alone",
    "reproduce": "train a trial again, and tell whether it gives the same",
    "replay": "write to MLflow what it lacks of a sweep",
    "export": "write a trained network as files for others, checked",
    "promote": "register a trained network in MLflow, ready to be served",
    "predict": "name the classes of images with an exported network",
}
OVERVIEW = """Trains and searches Keras image classifiers.

  python -m sweeper                                 train once
  python -m sweeper -m model=custom hparams=search  search: many trials, one leaderboard
  python -m sweeper COMMAND --help                  one of these:
"""


def train(
    cfg: DictConfig,
    report: Callable[..., bool] | None = None,
    kept: dict[str, Any] | None = None,
    test: bool = False,
) -> Any:
    """The task that Hydra runs: a trial where a sweep listens to reports, else one training with records of its own."""
    from sweeper import secret, single  # not before: `--help` needs none of it
    from sweeper.training import trial  # not before: `--help` needs none of it

    folder = Path(HydraConfig.get().runtime.output_dir)
    if report:
        return trial.run(cfg, report, folder, kept, test, sweep=Path(HydraConfig.get().sweep.dir))
    secret.hide_in_output(HydraConfig.get())
    try:
        return single.run(cfg, folder)
    except (Exception, KeyboardInterrupt) as error:
        sys.exit(mishap.tell(error, folder))


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # warnings and errors of TensorFlow only
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # matrices here are small: threads wait for each other longer
    if completion.is_asked(sys.argv) and not completion.offer(COMMANDS, _parser):
        return
    first = sys.argv[1] if len(sys.argv) > 1 else ""
    if first in COMMANDS:
        sys.exit(_command(first, sys.argv[2:]))
    _check_is_command(first)
    if {"-h", "--help"} & set(sys.argv):
        print(_overview())
    plugin.register()
    try:
        with _refusals_in_our_words():
            hydra.main(version_base="1.3", config_path="pkg://sweeper.conf", config_name="config")(train)()
    except SystemExit as end:
        composed = HydraConfig.initialized()
        sys.exit(2 if end.code == 1 and not composed else end.code)  # Hydra says 1 also of a bad command line


@contextmanager
def _refusals_in_our_words() -> Iterator[None]:
    """Hydra prints by itself what it has against a command line, and lets nobody else. A version without this private
    function goes on to do so.
    """
    theirs = getattr(utils, "run_and_report", None)
    if theirs is None:
        yield
        return

    def report(function: Callable[[], Any]) -> Any:
        def composed() -> Any:
            try:
                return function()
            except refused.ERRORS as error:
                if "HYDRA_FULL_ERROR" in os.environ or HydraConfig.initialized():
                    raise
                sys.exit(mishap.tell(refused.as_ours(error)))

        return theirs(composed)

    utils.run_and_report = report
    try:
        yield
    finally:
        utils.run_and_report = theirs


def _overview() -> str:
    return "\n".join([OVERVIEW, *(f"  {name:12} {what}" for name, what in COMMANDS.items()), ""])


def _check_is_command(word: str) -> None:
    """Exits if it can only be a command, and there is none of that name: Hydra would speak of an override."""
    if "=" in word or not word.isidentifier():
        return
    near = difflib.get_close_matches(word, COMMANDS, 1)
    meant = f"Do you mean {near[0]}?" if near else f"Give one of {', '.join(COMMANDS)}, or KEY=VALUE."
    print(f"python -m sweeper {word}: no such command. {meant}", file=sys.stderr)
    sys.exit(2)


def _command(name: str, arguments: list[str]) -> int:
    try:
        return _module(name).run(_parser(name).parse_args(arguments))
    except (Exception, KeyboardInterrupt) as error:
        return mishap.tell(error)


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m sweeper {name}")
    _module(name).add_arguments(parser)
    return parser


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"sweeper.commands.{name}")

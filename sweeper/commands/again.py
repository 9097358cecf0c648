"""The command of a sweep typed once more, by a command that goes on with it, as one would in another project.

Its journal may come from a stranger, who has a say in the values of the config and in little else: hydra.… can name any
code.
"""

from __future__ import annotations

import re
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from pathlib import Path

from sweeper.config import command
from sweeper.config.command import Ours
from sweeper.errors import ConfigError
from sweeper.records import sweeps
from sweeper.records.record import Sweep

# Of the settings then, those that decide how a trial is trained, or how much at a time.
TRAINING = tuple(
    f"hydra.sweeper.{key}="
    for key in (
        "params",
        "spaces",
        "n_jobs",
        "max_retries",
        "trial_timeout",
        "keep_models",
        "executor.threads",
        "executor.memory_limit",
    )
)
_SETTING = re.compile(r"[+~]*hydra[./][^=]+=")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "overrides",
        metavar="hydra.KEY=VALUE",
        nargs="*",
        help="as hydra.sweeper.n_jobs=1 for the slots, or hydra.sweeper.allow=[my_project.]",
    )


def check_settings(overrides: Iterable[str]) -> None:
    """Raises: ConfigError if one would train other trials than the sweep's."""
    for word in overrides:
        if not _SETTING.match(word):
            raise ConfigError(
                f"{word} is no setting of hydra.…: the trials are trained as they were in the search. Leave it out, or "
                "give one such as hydra.sweeper.n_jobs=1."
            )


def typed(
    sweep: Sweep, does: str, settings: Sequence[str], wanted: Sequence[str], overrides: Sequence[str]
) -> list[str]:
    """The words behind `python -m sweeper`.

    does: for the user, what their own command is to do, `Confirm it`. settings: how those begin that stay.
    wanted: further ones, for what shall be done now. overrides: the user's, which win over the sweep's.
    Raises: ConfigError if its command is none of `python -m sweeper`, or its configs may be a stranger's.
    """
    from sweeper.search import distribution, retrainings  # Optuna starts here

    ours = _checked(sweep, does, wanted)
    directions = sweep.started.directions
    direction = directions[0] if len(directions) == 1 else f"[{','.join(directions)}]"
    return [
        *(("--config-dir", ours.config_dir) if ours.config_dir else ()),
        "-m",
        *map(retrainings.check_word, sweep.started.arguments),
        *(word for word in ours.words if word.startswith(tuple(settings)) and "_target_" not in word),
        f"hydra.sweeper.direction={direction}",
        *overrides,
        distribution.override("hydra.sweeper.resume", str(sweep.folder)),
        *wanted,
    ]


def _checked(sweep: Sweep, does: str, wanted: Sequence[str]) -> Ours:
    if sweep.is_single:
        raise ConfigError(f"{sweep.folder} is a single training, which no search has chosen. Name a sweep: --sweep ID")
    ours = command.ours(sweep.started.command)
    if ours and (ours.config_dir is None or _is_here(Path(ours.config_dir), sweep.folder)):
        return ours
    line = command.going_on(sweep.started.command, f"hydra.sweeper.resume={sweep.folder}", *wanted)
    raise ConfigError(
        f"Sweep {sweep.id} was not begun by `python -m sweeper` with its own configs, or with those of a folder below "
        f"this one. {does} by its own command, where that was typed: {line}"
    )


def _is_here(configs: Path, sweep: Path) -> bool:
    """Whether that folder belongs to the project in the working folder, and did not come with the sweep: configs may
    call any code."""
    found = configs.resolve()
    brought = (sweep, *(Path(top) for top in sweeps.TOPS))
    below = found.is_dir() and found.is_relative_to(Path.cwd().resolve())
    return below and not any(found.is_relative_to(folder.resolve()) for folder in brought)

"""`python -m sweeper confirm`: a sweep's best trials trained anew with fresh seeds, and judged by the test data.

It types the sweep's own command again, as one would in another project, with nothing left to search.
"""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from sweeper.config import command
from sweeper.config.command import Ours
from sweeper.engine import resume
from sweeper.errors import ConfigError
from sweeper.records import record, sweeps
from sweeper.records.record import Sweep

# Of the settings then, those that decide how a trial is trained, or how much at a time. No others: a stranger may have
# written the journal, and hydra.… can name any code.
AGAIN = tuple(
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
    parser.description = (
        "Trains the best trials of a sweep anew, each with the same fresh seeds, judges every training on the test "
        "data, which the search has not seen, and ranks them by the mean with its 95 % interval. Says by paired "
        "t-tests, corrected by Holm, whether the first is ahead by more than chance, and how much of what the search "
        "saw was luck. What was killed goes on with the same command; more trials or seeds are added to those there "
        "are. The records lie in `confirm` of the sweep's folder. When piped: a candidate a line, tab-separated. "
        "Before, a sweep's best network has met the test data at its end, unless hydra.sweeper.test=false was given. A "
        "sweep of another program is confirmed by its own command with hydra.sweeper.resume=ID "
        "hydra.sweeper.n_trials=0 hydra.sweeper.confirm=3 behind it."
    )
    parser.add_argument("--sweep", metavar="ID", help="the name of its folder, or a path (default: the latest)")
    parser.add_argument("--top", metavar="N", type=int, default=3, help="trials, best first (default: 3)")
    parser.add_argument("--seeds", metavar="N", type=int, default=5, help="trainings of each (default: 5)")
    parser.add_argument(
        "overrides",
        metavar="hydra.KEY=VALUE",
        nargs="*",
        help="as hydra.sweeper.n_jobs=1 for the slots, or hydra.sweeper.allow=[my_project.]",
    )


def run(args: Namespace) -> int:
    """Raises: ConfigError if there is no such sweep, it has no result, or it is no sweep of this program."""
    if args.top < 1:
        raise ConfigError(f"--top {args.top}: give the number of trials to train anew, from 1.")
    for word in args.overrides:
        if not _SETTING.match(word):
            raise ConfigError(
                f"{word} is no setting of hydra.…: the trials are trained as they were in the search. Leave it out, or "
                "give one such as hydra.sweeper.n_jobs=1."
            )
    if args.seeds < 2:
        raise ConfigError(f"--seeds {args.seeds}: one training shows no chance. Give at least 2, better 5.")
    sweep = record.read(resume.find(args.sweep or resume.LATEST), curves=False)
    from sweeper import app  # Optuna starts here
    from sweeper.confirmation import confirmation  # Optuna starts here
    from sweeper.search import retrainings  # Optuna starts here

    chosen = retrainings.candidates(sweep, args.top)
    confirmed = record.confirmation(sweep.folder)
    if retrainings.is_complete(chosen, confirmed, args.seeds) and retrainings.is_concluded(confirmed):
        confirmation.show(sweep.folder)
        return 0
    sys.argv[1:] = _typed(sweep, args)
    app.main()
    return 0


def _typed(sweep: Sweep, args: Namespace) -> list[str]:
    """The sweep's command line, as far as a stranger may have a say in it."""
    from sweeper.search import distribution, retrainings

    ours = _checked(sweep, args)
    directions = sweep.started.directions
    direction = directions[0] if len(directions) == 1 else f"[{','.join(directions)}]"
    settings = [word for word in ours.words if word.startswith(AGAIN)]
    return [
        *(("--config-dir", ours.config_dir) if ours.config_dir else ()),
        "-m",
        *map(retrainings.check_word, sweep.started.arguments),
        *settings,
        f"hydra.sweeper.direction={direction}",
        *args.overrides,
        distribution.override("hydra.sweeper.resume", str(sweep.folder)),
        *_wanted(args),
    ]


def _wanted(args: Namespace) -> list[str]:
    return [
        "hydra.sweeper.n_trials=0",
        f"hydra.sweeper.confirm={args.top}",
        f"hydra.sweeper.confirm_seeds={args.seeds}",
    ]


def _checked(sweep: Sweep, args: Namespace) -> Ours:
    """Raises: ConfigError if its command is none of `python -m sweeper`, or its configs may be a stranger's."""
    if sweep.is_single:
        raise ConfigError(f"{sweep.folder} is a single training, which no search has chosen. Name a sweep: --sweep ID")
    ours = command.ours(sweep.started.command)
    if ours and (ours.config_dir is None or _is_here(Path(ours.config_dir), sweep.folder)):
        return ours
    again = command.confirming(sweep.started.command, f"hydra.sweeper.resume={sweep.folder}", *_wanted(args))
    raise ConfigError(
        f"Sweep {sweep.id} was not begun by `python -m sweeper` with its own configs, or with those of a folder below "
        f"this one. Confirm it by its own command, where that was typed: {again}"
    )


def _is_here(configs: Path, sweep: Path) -> bool:
    """Whether that folder belongs to the project in the working folder, and did not come with the sweep: configs may
    call any code."""
    found = configs.resolve()
    brought = (sweep, *(Path(top) for top in sweeps.TOPS))
    below = found.is_dir() and found.is_relative_to(Path.cwd().resolve())
    return below and not any(found.is_relative_to(folder.resolve()) for folder in brought)

"""`python -m sweeper confirm`: a sweep's best trials trained anew with fresh seeds, and judged by the test data.

It types the sweep's own command again, as one would in another project, with nothing left to search.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from sweeper.config import command
from sweeper.engine import resume
from sweeper.errors import ConfigError
from sweeper.records import record
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


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        "Trains the best trials of a sweep anew, each with the same fresh seeds, judges every training on the test "
        "data, which the search has not seen, and ranks them by the mean with its 95 % interval. Says by paired "
        "t-tests, corrected by Holm, whether the first is ahead by more than chance, and how much of what the search "
        "saw was luck. What was killed goes on with the same command; more trials or seeds are added to those there "
        "are. The records lie in `confirm` of the sweep's folder. When piped: a candidate a line, tab-separated. A "
        "sweep of your own project is confirmed by its own command with hydra.sweeper.resume=ID "
        "hydra.sweeper.n_trials=0 hydra.sweeper.confirm=3 behind it."
    )
    parser.add_argument("--sweep", metavar="ID", help="the name of its folder, or a path (default: the latest)")
    parser.add_argument("--top", metavar="N", type=int, default=3, help="trials, best first (default: 3)")
    parser.add_argument("--seeds", metavar="N", type=int, default=5, help="trainings of each (default: 5)")
    parser.add_argument(
        "overrides", metavar="hydra.KEY=VALUE", nargs="*", help="settings of the slots, as hydra.sweeper.n_jobs=1"
    )


def run(args: Namespace) -> int:
    """Raises: ConfigError if there is no such sweep, it has no result, or it is no sweep of this program."""
    if args.top < 1:
        raise ConfigError(f"--top {args.top}: give the number of trials to train anew, from 1.")
    if args.seeds < 2:
        raise ConfigError(f"--seeds {args.seeds}: one training shows no chance. Give at least 2, better 5.")
    sweep = record.read(resume.find(args.sweep or resume.LATEST), curves=False)
    from sweeper import app  # Optuna starts here
    from sweeper.confirmation import confirmation  # Optuna starts here
    from sweeper.search import retrainings  # Optuna starts here

    chosen = retrainings.candidates(sweep, args.top)
    if retrainings.is_complete(chosen, retrainings.earlier(sweep.folder), args.seeds):
        confirmation.show(sweep.folder)
        return 0
    sys.argv[1:] = _typed(sweep, args)
    app.main()
    return 0


def _typed(sweep: Sweep, args: Namespace) -> list[str]:
    """The sweep's command line, as far as a stranger may have a say in it."""
    from sweeper.search import distribution, retrainings

    _check_ours(sweep, args)
    directions = sweep.started.directions
    direction = directions[0] if len(directions) == 1 else f"[{','.join(directions)}]"
    settings = [word for word in command.words(sweep.started.command) if word.startswith(AGAIN)]
    return [
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


def _check_ours(sweep: Sweep, args: Namespace) -> None:
    """Raises: ConfigError if its command is none of `python -m sweeper`, or finds configs of the user's own."""
    if sweep.is_single:
        raise ConfigError(f"{sweep.folder} is a single training, which no search has chosen. Name a sweep: --sweep ID")
    if command.is_ours(sweep.started.command):
        return
    again = command.confirming(sweep.started.command, f"hydra.sweeper.resume={sweep.folder}", *_wanted(args))
    raise ConfigError(
        f"Sweep {sweep.id} was not begun by `python -m sweeper` with its own configs alone. Confirm it by its own "
        f"command: {again}"
    )

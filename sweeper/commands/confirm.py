"""`python -m sweeper confirm`: a sweep's best trials trained anew with fresh seeds, and judged by the test data.

It types the sweep's own command again, as one would in another project, with nothing left to search.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from sweeper.commands import again
from sweeper.engine import resume
from sweeper.errors import ConfigError
from sweeper.records import record
from sweeper.records.record import Sweep


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
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--top", metavar="N", type=int, default=3, help="trials, best first (default: 3)")
    which.add_argument("--trials", metavar="N,N", type=_numbers, help="these instead")
    which.add_argument("--elites", action="store_true", help="instead the best of each cell of its map")
    parser.add_argument("--seeds", metavar="N", type=int, default=5, help="trainings of each (default: 5)")
    again.add_arguments(parser)


def run(args: Namespace) -> int:
    """Raises: ConfigError if there is no such sweep, it has no result, or it is no sweep of this program."""
    if args.top < 1:
        raise ConfigError(f"--top {args.top}: give the number of trials to train anew, from 1.")
    again.check_settings(args.overrides)
    if args.seeds < 2:
        raise ConfigError(f"--seeds {args.seeds}: one training shows no chance. Give at least 2, better 5.")
    sweep = record.read(resume.find(args.sweep or resume.LATEST), curves=False)
    from sweeper import app  # Optuna starts here
    from sweeper.confirmation import confirmation  # Optuna starts here
    from sweeper.search import retrainings  # Optuna starts here

    wanted = _elites(sweep) if args.elites else args.trials or args.top
    chosen = retrainings.candidates(sweep, wanted)
    confirmed = record.confirmation(sweep.folder)
    if retrainings.is_complete(chosen, confirmed, args.seeds) and retrainings.is_concluded(confirmed):
        confirmation.show(sweep.folder)
        return 0
    sys.argv[1:] = again.typed(sweep, "Confirm it", again.TRAINING, _words(wanted, args.seeds), args.overrides)
    app.main()
    return 0


def _elites(sweep: Sweep) -> list[int]:
    from sweeper.ranking import atlas, axes  # Optuna starts here

    return sorted(trial.number for _, trial in atlas.of(sweep, axes.of(sweep), expects=False).elites)


def _words(wanted: int | list[int], seeds: int) -> list[str]:
    confirm = wanted if isinstance(wanted, int) else f"[{','.join(map(str, wanted))}]"
    return ["hydra.sweeper.n_trials=0", f"hydra.sweeper.confirm={confirm}", f"hydra.sweeper.confirm_seeds={seeds}"]


def _numbers(typed: str) -> list[int]:
    try:
        return [int(number) for number in typed.split(",")]
    except ValueError:
        raise ArgumentTypeError(f"{typed}: give numbers of trials, 3,17") from None

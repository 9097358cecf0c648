"""A sweep's best trials trained anew, on the slots of the sweep and with records of their own in its folder.

No test image has met a trial before: what the search chose is judged by what it could not see.
"""

from __future__ import annotations

import math
import sys
import time
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from sweeper.confirmation import conclusion, verdict
from sweeper.engine import failures
from sweeper.engine.coordinator import Coordinator
from sweeper.engine.executor import Executor
from sweeper.engine.limits import Limits
from sweeper.engine.mishap import INTERRUPTED
from sweeper.engine.recorder import Recorder
from sweeper.engine.stopping import Stopping, sigterm_as_ctrl_c
from sweeper.engine.waiting import Waiting
from sweeper.errors import ConfigError
from sweeper.records import record
from sweeper.records.events import SweepStarted
from sweeper.records.journal import Journal
from sweeper.search import retrainings
from sweeper.search.retrainings import SEED, Retrainings
from sweeper.search.settings import Settings
from sweeper.search.space import Space
from sweeper.tracking.store import Tracking


def check(settings: Settings, space: Space, config: DictConfig) -> None:
    """Before a search begins. Raises: ConfigError if it has no seed that could be another one."""
    searched = any(key.lstrip("+") == SEED for key in space.typed)
    if settings.confirm is not None and not searched and OmegaConf.select(config, SEED) is None:
        raise ConfigError(
            f"hydra.sweeper.confirm={settings.confirm} trains with fresh seeds, but the config has no key `{SEED}`. "
            f"Add `{SEED}: 0` to it, and let the task start its random numbers from that."
        )


def plan(sweep: Path, settings: Settings, space: Space, config: DictConfig) -> Retrainings:
    """What is to be trained, and what of it is lacking. sweep: its folder.

    Raises: ConfigError if no trial finished, or one would not be trained as in the search.
    """
    searched, confirmed = record.read(sweep, curves=False), record.confirmation(sweep)
    chosen = retrainings.candidates(searched, settings.confirm)
    base = OmegaConf.select(config, SEED)
    seeds = retrainings.seeds(searched, confirmed, settings.confirm_seeds, base)
    trials = confirmed.trials if confirmed else ()
    return Retrainings(sweep / record.CONFIRM, chosen, seeds, space.overrides, trials)


def is_over(sweep: Path, settings: Settings, space: Space, config: DictConfig) -> bool:
    """Whether nothing is left to train, and what has come of it is written. Raises: ConfigError as `plan`."""
    planned = plan(sweep, settings, space, config)
    return not planned and retrainings.is_concluded(record.confirmation(sweep))


def run(
    planned: Retrainings,
    settings: Settings,
    started: SweepStarted,
    slots: Executor,
    waiting: Waiting,
    limits: Limits,
    stopping: Stopping,
    followed: Tracking,
) -> int:
    """Trains what lacks, and says what that comes to; returns the exit code.

    started: how the sweep began. slots: started. waiting: those of them that the search has left waiting.
    Raises: SweeperError when too much failed; what was trained until then is written.
    """
    folder, limits = planned.folder, limits.without_timeout()
    # A seed that fails is a finding of its own; a mistake that all trainings share still ends them.
    free = {"max_failure_rate": math.inf, "reuse_duplicates": False, "constraints": ()}
    settings = replace(settings, n_trials=planned.total, **free)
    name = f"{folder.parent.name}/{record.CONFIRM}"
    started = replace(started, sweep=name, n_trials=planned.total, time=time.time(), arguments=())
    with ExitStack() as stack:
        journal = stack.enter_context(closing(Journal(folder)))
        earlier = None if journal.empty else record.read(folder, curves=False)
        console = _aside()
        _announce(planned, console)
        recorder = Recorder(
            journal,
            folder,
            started,
            slots=slots.slots,
            keep=settings.keep_models,
            tracking=replace(followed, system_metrics=False),  # the sweep's run has them
            earlier=earlier,
            limits=limits,
            console=console,
        )
        stack.enter_context(closing(recorder))
        coordinator = Coordinator(
            planned,
            slots,
            settings,
            limits,
            stopping,
            recorder.emit,
            lambda number, _: str(number),
            earlier.trials if earlier else (),
            waiting=waiting,
            within=record.CONFIRM,
        )
        failure = coordinator.ended_by()
        recorder.close()
        slots.close()  # before MLflow is waited for: nothing trains on
        with sigterm_as_ctrl_c():
            if failure:
                with suppress(OSError):  # what was told is in the journal
                    _conclude(recorder, folder.parent, "FAILED", str(failure))
                raise failures.told(failure, folder.parent)
            if stopping.requested:
                trouble = _conclude(recorder, folder.parent, "INTERRUPTED", "the user stopped it")
            else:
                trouble = _conclude(recorder, folder.parent, "FINISHED", coordinator.time_is_up)
        show(folder.parent)
        if trouble:
            print(f"\n{trouble}", file=sys.stderr)
        return INTERRUPTED if stopping.requested else 0


def _conclude(recorder: Recorder, sweep: Path, state: str, reason: str | None) -> str | None:
    """Writes what it has come to. What MLflow lacks of it, for the user."""
    conclusion.write(_verdict(sweep))
    return recorder.leave(state, reason)


def show(sweep: Path) -> None:
    """What the confirmation of the sweep in this folder has come to."""
    conclusion.show(_verdict(sweep), Console(highlight=False))


def _verdict(sweep: Path) -> verdict.Verdict:
    return verdict.of(record.read(sweep, curves=False), record.confirmation(sweep))


def _announce(planned: Retrainings, console: Console) -> None:
    trials = ", ".join(str(trial.number) for trial in planned.candidates)
    seeds = ", ".join(map(str, planned.seeds))
    console.print(f"\nConfirms trials {trials} with the fresh seeds {seeds}", soft_wrap=True)


def _aside() -> Console:
    """For what happens meanwhile: a pipe gets the table alone."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(stderr=True, highlight=False)

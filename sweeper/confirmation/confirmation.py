"""A sweep's best trials trained anew, on the slots of the sweep and with records of their own in its folder.

No test image has met a trial before: what the search chose is judged by what it could not see.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from sweeper.confirmation import conclusion, verdict
from sweeper.engine import ending, naming
from sweeper.engine.coordinator import Coordinator
from sweeper.engine.mishap import INTERRUPTED
from sweeper.engine.recorder import Recorder
from sweeper.engine.session import Session
from sweeper.errors import ConfigError
from sweeper.records import record
from sweeper.records.events import SweepStarted
from sweeper.records.journal import Journal
from sweeper.records.record import Trial
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


def run(planned: Retrainings, session: Session, started: SweepStarted, followed: Tracking) -> int:
    """Trains what lacks, and says what that comes to; returns the exit code.

    session: the sweep's. started: how that began.
    Raises: SweeperError when too much failed; what was trained until then is written.
    """
    session, started, folder = _own(session, planned), _begun(started, planned), planned.folder
    with ExitStack() as stack:
        journal = stack.enter_context(closing(Journal(folder)))
        earlier = None if journal.empty else record.read(folder, curves=False)
        console = _aside()
        _announce(planned, console)
        recorder = Recorder(
            journal,
            folder,
            started,
            slots=session.executor.slots,
            keep=session.settings.keep_models,
            tracking=replace(followed, system_metrics=False),  # the sweep's run has them
            earlier=earlier,
            limits=session.limits,
            console=console,
        )
        stack.enter_context(closing(recorder))
        return _trained(planned, session, recorder, earlier.trials if earlier else ())


def _own(session: Session, planned: Retrainings) -> Session:
    """A seed that fails is a finding of its own; a mistake that all trainings share still ends them."""
    free = {"max_failure_rate": math.inf, "reuse_duplicates": False, "constraints": ()}
    settings = replace(session.settings, n_trials=planned.total, **free)
    return replace(session, settings=settings, limits=session.limits.without_timeout())


def _begun(started: SweepStarted, planned: Retrainings) -> SweepStarted:
    name = f"{planned.folder.parent.name}/{record.CONFIRM}"
    return replace(started, sweep=name, n_trials=planned.total, time=time.time(), arguments=())


def _trained(planned: Retrainings, session: Session, recorder: Recorder, earlier: Sequence[Trial]) -> int:
    """The exit code of the whole confirmation. Raises: as `run`."""
    sweep, lacks = planned.folder.parent, []

    def conclude(state: str, reason: str | None) -> None:
        conclusion.write(_verdict(sweep))
        lacks.append(recorder.leave(state, reason))

    coordinator = Coordinator(planned, session, recorder.emit, naming.by_number, earlier, within=record.CONFIRM)
    failure = coordinator.ended_by()
    recorder.close()
    session.executor.close()  # before MLflow is waited for: nothing trains on
    code = ending.write(
        failure,
        session,
        sweep,
        finish=lambda: conclude("FINISHED", coordinator.time_is_up),
        break_off=conclude,
    )
    show(sweep)
    for lack in filter(None, lacks):
        print(f"\n{lack}", file=sys.stderr)
    return INTERRUPTED if session.stopping.requested else code  # it may be asked for while MLflow is waited for, too


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

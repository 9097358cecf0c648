"""One sweep, from its first slot to its last line on the screen: the file that knows how the parts fit together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.types import HydraContext
from omegaconf import DictConfig

from sweeper.confirmation import confirmation
from sweeper.engine import beginning, ending, naming, resume
from sweeper.engine.coordinator import Coordinator
from sweeper.engine.executor import Call
from sweeper.engine.recorder import Recorder
from sweeper.engine.session import Session
from sweeper.engine.slot import Work
from sweeper.engine.stopping import Stopping
from sweeper.evolution.population import Population
from sweeper.records.journal import Journal
from sweeper.records.record import Sweep
from sweeper.search.settings import Settings
from sweeper.search.study import Study
from sweeper.sweep import request, supply
from sweeper.sweep.request import Request
from sweeper.tracking import model_log


def run(
    settings: Settings,
    arguments: Sequence[str],
    config: DictConfig,
    context: HydraContext,
    task: Callable[..., Any],
) -> int:
    """Searches, records and ranks, and confirms the best where that is asked for; returns the exit code.

    arguments, config: as of `request.read`.
    Raises: SweeperError when the sweep could not run or failed; what it found until then is written.
    """
    asked = request.read(settings, arguments, config, context, task)
    HydraConfig.instance().set_config(asked.config)  # so that slots know hydra.sweeper.allow between trials, too
    work = Work(context, asked.config, task, Singleton.get_state()).pickled()
    with closing(Journal(asked.folder) if settings.resume else beginning.claim(asked.folder)) as journal:
        stopping = Stopping(asked.folder)
        earlier = resume.earlier(asked.folder, asked.started, confirms=asked.confirms) if settings.resume else None
        if earlier is None or not resume.is_done(earlier, asked.settings.n_trials):
            return _searched(asked, journal, earlier, work, stopping)
        if confirmation.is_over(asked.folder, asked.settings, asked.space, asked.config):
            confirmation.show(asked.folder)
            return 0
        with _session(asked, work, stopping) as session:
            return _confirmed(asked, session)


def _searched(asked: Request, journal: Journal, earlier: Sweep | None, work: bytes, stopping: Stopping) -> int:
    """The exit code of the search, and of the confirmation that follows where that is asked for.

    earlier: what is resumed. Raises: SweepFailed, or whatever else ended it before its time.
    """
    with ExitStack() as asking:
        source = asking.enter_context(supply.opened(asked, earlier, work, stopping))
        asked = asked.limited_to(source.size)
        with (
            _session(asked, work, stopping) as session,
            closing(_recorder(asked, session, journal, earlier, source)) as recorder,
        ):
            trials = earlier.trials if earlier else ()
            subdir = naming.of(asked.config, asked.context)
            prepare = Call(model_log.prepare)
            coordinator = Coordinator(source, session, recorder.emit, subdir, trials, prepare=prepare)
            failure = coordinator.ended_by()
            asking.close()  # nothing more is asked for
            code = ending.write(
                failure,
                session,
                asked.folder,
                finish=lambda: recorder.end(
                    "FINISHED", coordinator.time_is_up, in_slot=coordinator.call, test=asked.tests
                ),
                break_off=recorder.end,
            )
            if code or recorder.interrupted or not asked.confirms:
                return code
            return _confirmed(asked, session)


@contextmanager
def _session(asked: Request, work: bytes, stopping: Stopping) -> Iterator[Session]:
    """What the user has to mend is told by now. The slots import TensorFlow while this process imports MLflow."""
    with closing(asked.executor) as executor:
        executor.start(work, str(asked.logs))
        yield Session(asked.settings, executor, asked.limits, stopping)


def _recorder(
    asked: Request, session: Session, journal: Journal, earlier: Sweep | None, source: Study | Population
) -> Recorder:
    return Recorder(
        journal,
        asked.folder,
        asked.started,
        slots=session.executor.slots,
        keep=asked.settings.keep_models,
        axes=source.axes,
        tracking=asked.tracking,
        earlier=earlier,
        limits=asked.limits,
        elsewhere=lambda: source.ended_elsewhere,
    )


def _confirmed(asked: Request, session: Session) -> int:
    """The exit code of the confirmation. session: the whole sweep's."""
    planned = confirmation.plan(asked.folder, asked.settings, asked.space, asked.config)
    return confirmation.run(planned, session, asked.started, asked.tracking)

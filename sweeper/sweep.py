"""One sweep, from its first slot to its last line on the screen: the file that knows how the parts fit together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from rich.console import Console

from sweeper.config import allowed, node
from sweeper.confirmation import confirmation
from sweeper.engine import failures, resume
from sweeper.engine.coordinator import Coordinator
from sweeper.engine.executor import Call, Executor
from sweeper.engine.limits import Limits
from sweeper.engine.mishap import INTERRUPTED
from sweeper.engine.pricing import Pricing
from sweeper.engine.recorder import Recorder, begin, claim
from sweeper.engine.slot import Work
from sweeper.engine.stopping import Stopping, sigterm_as_ctrl_c
from sweeper.engine.waiting import Waiting
from sweeper.errors import ConfigError
from sweeper.evolution import life
from sweeper.evolution.life import Life
from sweeper.evolution.population import Population
from sweeper.files import file_costs
from sweeper.records import record
from sweeper.records.events import SweepStarted
from sweeper.records.journal import Journal
from sweeper.records.record import Trial
from sweeper.search import asked, enqueue, space, storage
from sweeper.search.settings import Settings
from sweeper.search.source import Source
from sweeper.search.space import Space, check
from sweeper.search.study import Study
from sweeper.slurm import launcher
from sweeper.tracking import model_log, store
from sweeper.training import objectives, size


def run(
    settings: Settings,
    arguments: Sequence[str],
    config: DictConfig,
    context: HydraContext,
    task: Callable[..., Any],
) -> int:
    """Searches, records and ranks, and confirms the best where that is asked for; returns the exit code.

    arguments: the overrides that the user typed. config: composed from them, the ranges left out.
    Raises: SweeperError when the sweep could not run or failed; what it found until then is written.
    """
    config = _pinned(config, settings)
    folder = Path(config.hydra.sweep.dir)
    limits = Limits(settings)
    space = dimensions(settings, arguments, config, context)
    shared = life.of(settings, space, config, ours=is_ours(task))
    settings = replace(settings, n_trials=shared.trials) if shared else settings
    started = begun(settings, config, ours=is_ours(task))
    check(space, partial(context.config_loader.load_sweep_config, config))
    confirmation.check(settings, space, config)
    enqueued = enqueue.read(settings.enqueue, space)[: settings.n_trials]
    extend = extension(settings, config)
    followed = store.read(config, config.hydra.runtime.choices, config.hydra.job.name)
    most = shared.method.members if shared else settings.most  # jobs side by side
    slots, waiting, pricing = _slots(settings, config.hydra.launcher, most), Waiting(), None
    HydraConfig.instance().set_config(config)  # so that slots know hydra.sweeper.allow between trials, too
    work, logs = Work(context, config, task, Singleton.get_state()).pickled(), folder / "slots"
    with ExitStack() as stack:
        journal = stack.enter_context(closing(Journal(folder) if settings.resume else claim(folder)))
        stopping = Stopping(folder)
        confirms = settings.confirm is not None
        earlier = resume.earlier(folder, started, confirms=confirms) if settings.resume else None
        trials = earlier.trials if earlier else ()
        searches = earlier is None or not resume.is_done(earlier, settings.n_trials)
        if searches:
            is_known = is_ours(task) and not extend  # what a network is made of
            if is_known and set(asked.axes(config)) & set(size.NAMES):
                preload = settings.executor.get("preload") or ()
                pricing = stack.enter_context(closing(Pricing(work, logs, preload, stopping)))
            price = pricing and pricing.ask
            known = {"enqueued": enqueued, "extend": extend, "earlier": earlier and trials, "price": price}
            study = _source(settings, space, folder, shared, lambda: stopping.requested or limits.is_over(), **known)
            stack.enter_context(closing(study))
            settings = replace(settings, n_trials=min(settings.n_trials, study.size or settings.n_trials))
            started = replace(started, n_trials=settings.n_trials)
        elif confirmation.is_over(folder, settings, space, config):
            confirmation.show(folder)
            return 0
        # What the user has to mend is told by now. The slots import TensorFlow while this process imports MLflow.
        stack.enter_context(closing(slots))
        slots.start(work, str(logs))
        if searches:
            recorder = Recorder(
                journal,
                folder,
                started,
                slots=slots.slots,
                keep=settings.keep_models,
                axes=study.axes,
                tracking=followed,
                earlier=earlier,
                limits=limits,
                elsewhere=lambda: study.ended_elsewhere,
            )
            stack.enter_context(closing(recorder))
            naming, prepare = _naming(config, context), Call(model_log.prepare)
            coordinator = Coordinator(
                study, slots, settings, limits, stopping, recorder.emit, naming, trials, prepare, waiting
            )
            test = settings.test and not confirms
            code = _searched(coordinator, study, stopping, recorder, slots, pricing, folder, test=test)
            if code or recorder.interrupted or not confirms:
                return code
        planned = confirmation.plan(folder, settings, space, config)
        return confirmation.run(planned, settings, started, slots, waiting, limits, stopping, followed)


def _source(
    settings: Settings,
    space: Space,
    folder: Path,
    shared: Life | None,
    is_over: Callable[[], bool],
    *,
    enqueued: Sequence[dict[str, Any]],
    earlier: Sequence[Trial] | None,
    **known: Any,
) -> Study | Population:
    """Of the trials. shared: what the members of a population share, if trials are such. is_over: whether the sweep has
    to end. known: as of `Study`. Raises: as these do."""
    if shared:
        Console(highlight=False).print(shared.sentence, soft_wrap=True)
        return Population(shared, folder, enqueued=enqueued, earlier=earlier or ())
    known |= {"enqueued": enqueued, "earlier": earlier}
    if not storage.is_database(settings.storage):
        return Study(settings, space, folder, **known)
    from sweeper.sharing.shared_study import SharedStudy  # with all that talks to databases

    return SharedStudy(settings, space, folder, is_over=is_over, **known)


def _searched(
    coordinator: Coordinator,
    study: Source,
    stopping: Stopping,
    recorder: Recorder,
    slots: Executor,
    pricing: Pricing | None,
    folder: Path,
    *,
    test: bool,
) -> int:
    """The exit code of the whole search. test: the best network meets the test images at its end.

    Raises: SweepFailed, or whatever else ended it before its time.
    """
    failure = coordinator.ended_by()
    study.close()
    if pricing:
        pricing.close()
    with sigterm_as_ctrl_c():
        if not failure and not stopping.requested:
            recorder.end("FINISHED", coordinator.time_is_up, in_slot=coordinator.call, test=test)
            return 0
        slots.close()  # before MLflow is waited for: nothing trains on
        if failure:
            with suppress(OSError):  # what was told is in the journal
                recorder.end("FAILED", str(failure))
            raise failures.told(failure, folder)
        recorder.end("INTERRUPTED", "the user stopped it")
        return INTERRUPTED


def _pinned(config: DictConfig, settings: Settings) -> DictConfig:
    """The config with its folder absolute: every process must mean the same one, whatever its clock and folder."""
    config = config.copy()
    folder = resume.find(settings.resume) if settings.resume else Path(config.hydra.sweep.dir).absolute()
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.sweep.dir = str(folder)
    return config


def begun(settings: Settings, config: DictConfig, *, ours: bool) -> SweepStarted:
    """ours: the task is our own training, which measures what it knows and nothing else.

    Raises: ConfigError as `objectives.names`, its checks and `recorder.begin`.
    """
    metrics = objectives.names(OmegaConf.select(config, "optimized_metric", default=objectives.UNNAMED))
    if ours:
        objectives.check_measured(metrics)
        objectives.check_axes(asked.axes(config))
        file_costs.check(asked.names())
    return begin(Path(config.hydra.sweep.dir), metrics, settings.directions, settings.n_trials, config.hydra)


def is_ours(task: Callable[..., Any]) -> bool:
    """Whether it is that of `python -m sweeper`."""
    return getattr(task, "__module__", None) == "sweeper.app"


def dimensions(settings: Settings, arguments: Sequence[str], config: DictConfig, context: HydraContext) -> Space:
    """Raises: ConfigError as `space.build`."""
    loader = context.config_loader
    compose = partial(loader.load_sweep_config, config)
    return space.build(arguments, settings.params, settings.spaces, loader, compose)


def extension(settings: Settings, config: DictConfig) -> Callable[[Any], None] | None:
    """The user's own function of a trial, which adds dimensions in Python.

    Raises: ConfigError if there is no such function, or it is not allowed.
    """
    path = settings.custom_search_space
    if path is None:
        return None
    return partial(allowed.function(path, "hydra.sweeper.custom_search_space", settings.allow), config)


def _slots(settings: Settings, launched: DictConfig, most: int) -> Executor:
    """launched: `hydra.launcher`. most: jobs side by side. Raises: ConfigError as `executor`, and for a launcher that
    cannot have them."""
    if launcher.is_queue(launched):
        return launcher.executor(launched, settings, most)
    return executor(settings, most=most)


def executor(settings: Settings, **keys: Any) -> Executor:
    """keys: instead of the executor's own. Raises: ConfigError if there is none, or it refuses its keys."""
    if settings.executor is None:
        raise ConfigError(
            "hydra.sweeper.executor=null: nothing would run the trials. Choose hydra/sweeper/executor=local"
        )
    known = {"slots": settings.n_jobs, "most": settings.most} | keys
    return node.made(settings.executor, "hydra.sweeper.executor", settings.allow, **known)


def _naming(config: DictConfig, context: HydraContext) -> Callable[[int, list[str]], str]:
    """Number and overrides of a trial -> its folder in the sweep's, as hydra.sweep.subdir wants it."""

    def composed(number: int, overrides: list[str]) -> str:
        trial = context.config_loader.load_sweep_config(config, overrides)
        with read_write(trial.hydra), open_dict(trial.hydra):
            trial.hydra.job.id = trial.hydra.job.num = number
        return record.inside(str(trial.hydra.sweep.subdir), "hydra.sweep.subdir")

    by_number = OmegaConf.to_container(config.hydra.sweep, resolve=False)["subdir"] == "${hydra.job.num}"
    return (lambda number, overrides: str(number)) if by_number else composed  # to compose takes 0.1 s

"""A slot: the process that trains. It takes one job after the other and keeps TensorFlow loaded between them."""

from __future__ import annotations

import gc
import importlib
import inspect
import io
import json
import marshal
import multiprocessing
import os
import pickle
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from multiprocessing.connection import Connection
from types import CodeType
from typing import Any

import cloudpickle
import numpy as np
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import run_job
from hydra.types import HydraContext
from omegaconf import DictConfig, open_dict, read_write

from sweeper.config.composer import Composer, relocated
from sweeper.engine import mishap
from sweeper.engine.executor import Call, Done, Raised, Ready, Reported, TrialJob
from sweeper.errors import SweeperError
from sweeper.records import states
from sweeper.records.events import Metrics, Report
from sweeper.secret import hide_in_output, without_credentials
from sweeper.training import cache


@dataclass(frozen=True)
class Work:
    """What all trials of a sweep share, sent to a slot once."""

    context: HydraContext
    config: DictConfig  # composed, without the values that differ from trial to trial
    task: Callable[..., Any]  # task(cfg), or one that takes any of report, kept and test as well
    singletons: dict[type, Any]  # Hydra's own state

    def pickled(self) -> bytes:
        """By value where the task lives in __main__, which a slot does not have."""
        written = io.BytesIO()
        _Pickler(written).dump(self)
        return written.getvalue()


class _Pickler(cloudpickle.Pickler):
    """Keeps the name of the file that code comes from, which cloudpickle drops: an error names the user's own line."""

    dispatch_table = cloudpickle.Pickler.dispatch_table.new_child(
        {CodeType: lambda code: (marshal.loads, (marshal.dumps(code),))}
    )


def main(
    number: int,
    moved: Mapping[str, str],
    connection: Connection,
    log: str,
    environment: Mapping[str, str],
    preload: Sequence[str],
) -> None:
    """The process of slot `number`, until it is sent None. Whatever is printed in it goes to the file `log`.

    moved: folders that lie elsewhere on this machine than on the coordinator's, with where: the sweep's, the project's.
    """
    trials = _Trials(begin(connection, log, environment, preload), moved)
    connection.send(Ready(number))
    while (job := connection.recv()) is not None:
        connection.send(_run(number, job, trials, connection, log))


def begin(connection: Connection, log: str, environment: Mapping[str, str], preload: Sequence[str]) -> Work:
    """Makes a new process one of the sweep, and returns what it is sent first."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _redirect_output(log)
    os.environ.clear()  # it may be forked from a process that began under other circumstances
    os.environ.update(environment)
    np.random.seed()  # forks would all draw the same numbers
    work: Work = pickle.loads(connection.recv_bytes())
    Singleton.set_state(work.singletons)
    for module in preload:
        importlib.import_module(module)
    gc.freeze()  # what is imported stays: to look at it again between trials takes 0.2 s
    return work


def _run(number: int, job: TrialJob | Call, trials: _Trials, connection: Connection, log: str) -> Done | Raised:
    last: Metrics = {}  # reported

    def report(epoch: int, value: float, metrics: Metrics) -> bool:
        last.update({key: float(metrics[key]) for key in metrics})
        connection.send(Reported(number, epoch, float(value), dict(last)))
        return connection.recv()

    try:
        if isinstance(job, Call):
            job.function(*job.arguments)
            return Done(number, ())
        os.environ[cache.SHIPPED] = json.dumps(job.shipped)
        result = trials.run(job, report)
        facts = _facts(getattr(result, "facts", {}))
        return Done(number, _values(result), facts | {key: last[key] for key in last if key not in facts})
    except (Exception, SystemExit) as error:
        print(without_credentials(traceback.format_exc()), file=sys.stderr)  # into the log
        return _raised(number, error, log)


class _Trials:
    """Those that this process trains, and what it keeps from one to the next."""

    def __init__(self, work: Work, moved: Mapping[str, str]):
        self._work, self._moved = work, moved
        self._kept: dict[str, Any] = {}  # by the task

    @cached_property
    def _composer(self) -> Composer:
        """At the first trial: there are slots that only run functions."""
        return Composer(relocated(self._work.context.config_loader, self._moved), self._work.config)

    def run(self, job: TrialJob, report: Report) -> Any:
        """The task gets a report, and what it kept before, if it has parameters of these names.

        In a confirmation also test=True, which no trial of a search gets: only so can none be chosen by the test data.
        """
        config = self._composer.compose(job.overrides)
        with read_write(config.hydra), open_dict(config.hydra):
            config.hydra.job.id = config.hydra.job.num = job.number
            ours = self._work.config.hydra.sweep.dir  # not a new one for the present second
            config.hydra.sweep.dir = self._moved.get(ours, ours)
            config.hydra.sweep.subdir = job.subdir
        offered = {"report": report, "kept": self._kept} | ({"test": True} if job.test else {})
        wanted = inspect.signature(self._work.task).parameters
        given = {name: thing for name, thing in offered.items() if name in wanted}
        task = partial(_task, partial(self._work.task, **given))
        done = run_job(
            task_function=task,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
            hydra_context=self._work.context,
        )
        return done.return_value


def _task(task: Callable[[DictConfig], Any], config: DictConfig) -> Any:
    """Hydra has just written down the config with all that was typed."""
    hide_in_output(HydraConfig.get())
    return task(config)


def _raised(number: int, error: BaseException, log: str) -> Raised:
    last = traceback.extract_tb(error.__traceback__)[-1]
    state = states.of(error)
    is_sentence = isinstance(error, SweeperError) or state in states.OPEN
    return Raised(
        number,
        reason=states.reason(error),
        told=str(error) if is_sentence else f"{mishap.paragraph(error)}\nThe full traceback is in {log}",
        place=f"{type(error).__name__} {last.filename}:{last.lineno}" if state == "FAILED" else None,
        state=state,
    )


def _facts(told: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers and text: what a journal can hold and a leaderboard show."""
    plain = {key: fact.item() if isinstance(fact, np.generic) else fact for key, fact in told.items()}
    return {key: fact if isinstance(fact, int | float | str | None) else str(fact) for key, fact in plain.items()}


def _values(result: Any) -> tuple[float, ...]:
    """One value an objective, from a number, a sequence of numbers, or an object that has either as `.value`."""
    result = getattr(result, "value", result)
    try:
        return tuple(float(value) for value in result) if isinstance(result, Sequence) else (float(result),)
    except (TypeError, ValueError):
        raise TypeError(
            f"The task returned {result!r} ({type(result).__name__}). "
            "A sweep needs a number, or one an objective: return what it should optimise."
        ) from None


def _redirect_output(log: str) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)


def _die_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)

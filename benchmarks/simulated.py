"""One sweep of the real coordinator over slots that only seem to train, and what each part of it costs."""

from __future__ import annotations

import os
import resource
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import curves
from fate import Durations, Faults
from fleet import Fleet
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import FloatDistribution, IntDistribution
from rich.console import Console
from skipped import OTHER, SIMULATION, Clock

from sweeper.engine import naming
from sweeper.engine.coordinator import Coordinator
from sweeper.engine.keeper import Keeper
from sweeper.engine.limits import Limits
from sweeper.engine.progress import Progress
from sweeper.engine.session import Session
from sweeper.engine.stopping import Stopping
from sweeper.records.events import EpochReported, Event, SweepEnded, SweepStarted, TrialEnded
from sweeper.records.journal import Journal
from sweeper.records.states import OPEN
from sweeper.search.settings import Settings
from sweeper.search.source import Source
from sweeper.search.space import Space
from sweeper.search.study import Study

GROUPS = Path(__file__).resolve().parents[1] / "sweeper" / "groups"
DISK = 0.005  # seconds that a wait for the disk takes: of one on the network; here it is fast
LOOK = 60.0  # seconds of the simulation between two looks at the terminal's display
PATIENCE = 600.0  # trial_timeout
PARTS = ("ask", "report", "tell", "journal", "keeper", "terminal", OTHER)


@dataclass(frozen=True)
class Sweep:
    slots: int
    trials: int
    sampler: str  # of groups/
    pruner: str
    seed: int
    slowdown: float


@dataclass(frozen=True)
class Measured:
    """What follows `whole` is of the time until the last trial was asked for: then slots run out of work."""

    whole: float  # seconds simulated, from the first slot that was ready to the end
    told: int  # trials
    epochs: int
    states: dict[str, int]  # attempts by how they ended
    work: float  # seconds of the processor
    memory: int  # bytes, at most
    refresh: float  # seconds of the processor to draw the terminal's display once; median
    answers: tuple[float, float]  # seconds that slots waited for an answer: median, and what 99 % are below
    trials: tuple[float, float]  # the same, for a trial
    seconds: float  # simulated
    told_by_then: int
    parts: dict[str, float]  # seconds of the processor
    used: float  # share of the slots' time, but while they are down, that is training


class _Timed(Source):
    """A study whose parts are counted apart. It also waits for the disk as the real one does."""

    def __init__(self, study: Study, clock: Clock):
        self._study, self._clock = study, clock
        self.is_ready, self.begun = study.is_ready, study.begun
        self.told = 0  # trials
        self.asked = clock.time(), 0, dict(clock.spent)  # the last time: when, told by then, and what was spent

    def ask(self) -> Any:
        with self._clock.part("ask"):
            proposal = self._study.ask()
        self._clock.skip(self._clock.time() + DISK)
        with self._clock.part(SIMULATION):
            self.asked = self._clock.time(), self.told, dict(self._clock.spent)
        return proposal

    def report(self, *told: Any) -> bool:
        with self._clock.part("report"):
            return self._study.report(*told)

    def tell(self, number: int, state: str, *rest: Any) -> None:
        with self._clock.part("tell"):
            self._study.tell(number, state, *rest)
        self.told += state not in OPEN


class _Emitting:
    """As Recorder.emit does it, with the parts counted apart: MLflow is measured afterwards, from the journal."""

    def __init__(self, journal: Journal, keeper: Keeper, progress: Progress, display: Progress, clock: Clock):
        self._listeners = {"journal": journal, "keeper": keeper, "terminal": progress}
        self._display, self._clock = display, clock
        self._look_at = 0.0
        self.states: Counter[str] = Counter()  # of attempts that ended
        self.epochs = 0
        self.refreshes: list[float] = []  # seconds of the processor that the terminal took to be drawn anew

    def __call__(self, event: Event) -> None:
        for part, listener in self._listeners.items():
            with self._clock.part(part):
                listener.write(event)
        if not isinstance(event, EpochReported):
            self._clock.skip(self._clock.time() + DISK)
        with self._clock.part(SIMULATION):
            self._look(event)

    def _look(self, event: Event) -> None:
        self.epochs += isinstance(event, EpochReported)
        if isinstance(event, TrialEnded):
            self.states[event.state] += 1
        self._display.write(event)
        if event.time >= self._look_at:
            began = time.thread_time()
            self._display.show()
            self.refreshes.append(time.thread_time() - began)
            self._look_at = event.time + LOOK


def run(sweep: Sweep, folder: Path, *, faults: Faults | None, durations: Durations | None = None) -> Measured:
    """folder: of the sweep, which must not exist; trials.jsonl in it has all events at the times of the simulation."""
    clock = Clock(sweep.slowdown)
    with clock.part(SIMULATION), open(os.devnull, "w") as nowhere:
        settings = _settings(sweep)
        journal = Journal(folder)
        study = Study(settings, _space(sweep.sampler), folder, enqueued=(), extend=None)
        keeper = Keeper(folder, settings.directions, settings.keep_models, axes=study.axes)
        file, screen = (Console(file=nowhere, force_terminal=on, width=120, height=50) for on in (False, True))
        shown = sweep.trials, curves.VALUE, settings.directions, sweep.slots
        emit = _Emitting(journal, keeper, Progress(*shown, console=file), Progress(*shown, console=screen), clock)
        fleet = _fleet(sweep, folder, clock, faults, durations)
        timed = _Timed(study, clock)
        session = Session(settings, fleet, Limits(settings), Stopping(folder))
        coordinator = Coordinator(timed, session, emit, naming.by_number, clock=clock)
        journal.write(
            SweepStarted(folder.name, "", curves.VALUE, settings.directions, sweep.trials, None, clock.time())
        )
        fleet.start(b"", "")
        clock.spent.clear()
        with clock.part(OTHER):
            coordinator.run()
        journal.write(SweepEnded("FINISHED", None, None, clock.time()))
        journal.close()
    at, told_by_then, spent = timed.asked
    training, waiting = fleet.usage["training"], fleet.usage["waiting"]
    return Measured(
        whole=clock.time() - fleet.began,
        told=timed.told,
        epochs=emit.epochs,
        states=dict(emit.states),
        work=sum(clock.spent[part] for part in PARTS),
        memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        refresh=median(emit.refreshes),
        answers=_spread(fleet.waits.answers),
        trials=_spread(fleet.waits.trials),
        seconds=at - fleet.began,
        told_by_then=told_by_then,
        parts={part: spent.get(part, 0.0) for part in PARTS},
        used=training / (training + waiting),
    )


def _fleet(sweep: Sweep, folder: Path, clock: Clock, faults: Faults | None, durations: Durations | None) -> Fleet:
    config = folder / "config.yaml"
    config.write_text(_config())
    known = {"faults": faults, "durations": durations, "config": config, "seed": sweep.seed}
    return Fleet(sweep.slots, clock, curves.load(), folder, **known)


def _spread(seconds: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(seconds) or [0.0]
    return median(ordered), ordered[int(0.99 * (len(ordered) - 1))]


def _settings(sweep: Sweep) -> Settings:
    """As the files of the sampler and the pruner have them."""
    nodes = {"sampler": _node("sampler", sweep.sampler), "pruner": _node("pruner", sweep.pruner)}
    whole = OmegaConf.create({"seed": sweep.seed, "trainer": {"epochs": 12}} | nodes)
    return Settings(
        sampler=whole.sampler,
        pruner=whole.pruner,
        executor=None,
        direction="maximize",
        n_trials=sweep.trials,
        trial_timeout=PATIENCE,
        max_failure_rate=1.0,
    )


def _node(kind: str, name: str) -> DictConfig:
    node = OmegaConf.load(GROUPS / kind / f"{name}.yaml")
    node.pop("defaults", None)
    return node


def _space(sampler: str) -> Space:
    """Of hparams=search; of networks too where a map of them is filled."""
    typed = {key: FloatDistribution(low, curves.HIGH[key], log=key in curves.LOG) for key, low in curves.LOW.items()}
    if sampler == "sail":
        typed |= {"model.filters": IntDistribution(3, 48, log=True), "model.stride": IntDistribution(1, 2)}
    return Space((), typed, (), lambda choices: {})


def _config() -> str:
    """What each trial leaves: the resolved config of one on digits."""
    from sweeper.config.compose import composed

    cfg = composed(["model.filters=8", "hparams=search"])
    return OmegaConf.to_yaml(OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"]), resolve=True)

"""One sweep of the real coordinator over slots that only seem to train, and what each part of it costs."""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import curves
from fleet import SIMULATION, Clock, Durations, Faults, Fleet
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import FloatDistribution, IntDistribution
from rich.console import Console

from sweeper.engine.coordinator import Coordinator
from sweeper.engine.keeper import Keeper
from sweeper.engine.limits import Limits
from sweeper.engine.progress import Progress
from sweeper.engine.stopping import Stopping
from sweeper.records.events import EpochReported, Event, SweepEnded, SweepStarted, TrialEnded
from sweeper.records.journal import Journal
from sweeper.records.states import OPEN
from sweeper.search.settings import Settings
from sweeper.search.space import Space
from sweeper.search.study import Study

GROUPS = Path(__file__).resolve().parents[1] / "sweeper" / "groups"
DISK = 0.005  # seconds that a wait for the disk takes: of one on the network; here it is fast
LOOK = 60.0  # seconds of the simulation between two looks at the terminal's display
PATIENCE = 600.0  # trial_timeout
PARTS = ("ask", "report", "tell", "journal", "keeper", "terminal", "coordinator")


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
    seconds: float  # simulated, from the first slot that was ready to the end
    used: float  # share of the slots' time until the last trial was handed out that was training, or its start
    told: int  # trials
    epochs: int
    states: dict[str, int]  # attempts by how they ended
    parts: dict[str, float]  # seconds of the processor
    display: float  # the same, of one refresh of the terminal; median
    answers: tuple[float, float]  # seconds that slots waited for an answer: median, and of all but a hundredth the longest
    waits: tuple[float, float]  # the same, for a trial
    memory: int = 0


@dataclass
class _Told:
    """What the events were."""

    states: Counter = field(default_factory=Counter)
    epochs: int = 0
    displays: list[float] = field(default_factory=list)  # seconds of the processor
    looked: float = 0.0


class _Timed:
    """A study whose parts are counted apart. It also waits for the disk as the real one does."""

    def __init__(self, study: Study, clock: Clock):
        self._study, self._clock = study, clock
        self.is_ready, self.begun = study.is_ready, study.begun

    def ask(self) -> Any:
        with self._clock.part("ask"):
            proposal = self._study.ask()
        self._clock.skip(self._clock.time() + DISK)
        return proposal

    def report(self, *told: Any) -> bool:
        with self._clock.part("report"):
            return self._study.report(*told)

    def tell(self, *told: Any) -> None:
        with self._clock.part("tell"):
            self._study.tell(*told)


def run(sweep: Sweep, folder: Path, *, faults: Faults | None, durations: Durations | None = None) -> Measured:
    """folder: of the sweep, which must not exist; trials.jsonl in it has all events at the times of the simulation."""
    clock = Clock(sweep.slowdown)
    with clock.part(SIMULATION):
        journal = Journal(folder)
        settings = _settings(sweep)
        study = Study(settings, _space(sweep.sampler), folder, enqueued=(), extend=None)
        config = folder / "config.yaml"
        config.write_text(_config())
        fleet = Fleet(
            sweep.slots,
            clock,
            curves.load(),
            folder,
            faults=faults,
            durations=durations,
            config=config,
            seed=sweep.seed,
        )
        progress = Progress(
            sweep.trials, curves.VALUE, ("maximize",), sweep.slots, console=Console(file=io.StringIO(), width=120)
        )
        keeper = Keeper(folder, ("maximize",), settings.keep_models, axes=study.axes)
        told = _Told()
        emit = _emitting({"journal": journal, "keeper": keeper, "terminal": progress}, clock, told, progress)
        coordinator = Coordinator(
            _Timed(study, clock),
            fleet,
            settings,
            Limits(settings),
            Stopping(folder),
            emit,
            lambda number, overrides: str(number),
            clock=clock,
        )
        fleet.start(b"", "")
        emit(SweepStarted(folder.name, "", curves.VALUE, ("maximize",), sweep.trials, None, clock.time()))
    clock.spent.clear()
    coordinator.run()
    ended = clock.time()
    emit(SweepEnded("FINISHED", None, None, ended))
    journal.close()
    training, waiting = fleet.usage["training"], fleet.usage["waiting"]
    return Measured(
        seconds=ended - fleet.began,
        used=training / (training + waiting),
        told=sum(count for state, count in told.states.items() if state not in OPEN),
        epochs=told.epochs,
        states=dict(told.states),
        parts={part: clock.spent[part] for part in PARTS},
        display=median(told.displays or [0.0]),
        answers=_spread(fleet.waits.answers),
        waits=_spread(fleet.waits.trials),
    )


def _emitting(listeners: dict[str, Any], clock: Clock, told: _Told, progress: Progress) -> Callable[[Event], None]:
    """As Recorder.emit, each of those who listen counted apart; and now and then what a terminal would show is drawn."""

    def emit(event: Event) -> None:
        for part, listener in listeners.items():
            with clock.part(part):
                listener.write(event)
        match event:
            case EpochReported():
                told.epochs += 1
            case TrialEnded():
                told.states[event.state] += 1
        if not isinstance(event, EpochReported):
            clock.skip(clock.time() + DISK)
        if event.time >= told.looked + LOOK:
            with clock.part(SIMULATION):
                began = time.thread_time()
                progress.show()
                told.displays.append(time.thread_time() - began)
                told.looked = event.time

    return emit


def _spread(seconds: list[float]) -> tuple[float, float]:
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

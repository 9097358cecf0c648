"""Ask and tell: the only file that talks to Optuna."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState

from sweeper import text
from sweeper.config import node
from sweeper.errors import ConfigError, SweeperError
from sweeper.records.record import Trial
from sweeper.records.states import BAD, OPEN, State
from sweeper.search import constraints, feasibility, sampler, storage
from sweeper.search.sampler import Price
from sweeper.search.settings import Settings
from sweeper.search.source import Source
from sweeper.search.space import Space
from sweeper.secret import without_credentials

optuna.logging.set_verbosity(optuna.logging.WARNING)  # progress has its own lines

OWNER = "sweeper.sweep"  # the user attribute of a trial that names its sweep's folder


@dataclass(frozen=True)
class Proposal:
    number: int
    params: dict[str, Any]  # what the sampler chose, by override key
    overrides: list[str]  # those and the fixed ones
    test: bool = False  # of a confirmation: it is judged on the test data too
    losses: int = 0  # coordinators that were lost while they ran it


class Study(Source):
    """An Optuna study and the trials of it that run now."""

    def __init__(
        self,
        settings: Settings,
        space: Space,
        folder: Path,
        *,
        enqueued: Sequence[dict[str, Any]],
        extend: Callable[[optuna.Trial], None] | None,
        earlier: Sequence[Trial] | None = None,
        price: Price | None = None,
        held: BaseStorage | None = None,
    ):
        """enqueued: of the first trials, values by Optuna's names.
        extend: called with each new trial once its dimensions of `space` are drawn; what it suggests joins them.
        earlier: the trials of a sweep that is resumed, as its journal tells them; None for a new one.
        price: tells samplers that want to know what a trial will cost.
        held: where the study is kept; None: where the settings say.

        Raises: ConfigError if sampler, pruner, storage or direction do not fit each other or the space.
        """
        self.space, self._extend = space, extend
        self._constraints = settings.constraints
        drawing, self.size = sampler.build(settings, space, len(earlier or ()), price)
        self.axes = tuple(getattr(drawing, "descriptors", ()))  # of the map that it fills, if it fills one
        self._kept = tuple(getattr(drawing, "kept", ()))  # facts that may be axes, of this session or a later one
        self._study, held = _create(settings, drawing, folder, held)
        self._owner = str(folder)
        self._together = getattr(held, "together", nullcontext)  # of writes to the storage
        self._running: dict[int, optuna.Trial] = {}
        self._reported: dict[int, int] = {}  # the last epoch heard of a running trial
        self.begun = self._begin(settings, enqueued, earlier)

    def _begin(
        self, settings: Settings, enqueued: Sequence[dict[str, Any]], earlier: Sequence[Trial] | None
    ) -> list[Proposal]:
        """What earlier sessions have left open."""
        begun = [] if earlier is None else self._take_up(earlier, shared=settings.storage is not None)
        self._enqueue(enqueued)
        return begun

    def _enqueue(self, enqueued: Sequence[dict[str, Any]]) -> None:
        for values in enqueued:
            self._study.enqueue_trial(values, skip_if_exists=True)

    def _take_up(self, earlier: Sequence[Trial], shared: bool) -> list[Proposal]:
        """What an earlier session left open, also what it had asked for only. What it had not told yet is told.

        shared: other sweeps may have trials in the same database.
        """
        known = {trial.number: trial for trial in earlier}
        self._check_holds(known)
        for running in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            number = running.number
            owner = running.user_attrs.get(OWNER, None if shared else self._owner)
            if number not in known and owner != self._owner:
                continue
            self._running[number] = optuna.Trial(self._study, running._trial_id)
            self._reported[number] = max(running.intermediate_values, default=0)
            if number in known:
                self.tell(number, known[number].state, known[number].values, known[number].facts)
        return [
            self._proposal(number, known[number].params) if number in known else self._propose(trial)
            for number, trial in sorted(self._running.items())
        ]

    def _check_holds(self, numbers: Collection[int]) -> None:
        """Raises: ConfigError if the study lacks some: their numbers would be given to other trials."""
        lost = set(numbers) - {trial.number for trial in self._study.get_trials(deepcopy=False)}
        if lost:
            raise ConfigError(
                f"Study {self._study.study_name} lacks {len(lost)} trials of the journal in {self._owner}, first trial "
                f"{min(lost)}. Was {storage.JOURNAL} deleted, or another hydra.sweeper.storage given? For a new sweep "
                f"that begins with those trials: hydra.sweeper.enqueue={self._owner}"
            )

    def ask(self) -> Proposal:
        with self._together():
            trial = self._study.ask()
            trial.set_user_attr(OWNER, self._owner)
            self._running[trial.number] = trial
            return self._propose(trial)

    def _propose(self, trial: optuna.Trial) -> Proposal:
        """Draws what is not drawn yet."""
        try:
            params = self.space.suggest(trial)
        except ValueError as error:  # the choices of a dimension cannot change within a study
            raise ConfigError(f"Study {self._study.study_name} began with another space: {error}") from error
        if self._extend:
            params |= self._extension(trial)
        return self._proposal(trial.number, params)

    def _proposal(self, number: int, params: dict[str, Any]) -> Proposal:
        return Proposal(number, params, self.space.overrides(params))

    def _extension(self, trial: optuna.Trial) -> dict[str, Any]:
        for key, value in self.space.fixed_values():
            trial.set_user_attr(key, without_credentials(value))  # they are stored
        before = set(trial.params)
        try:
            self._extend(trial)
        except Exception as error:
            raise ConfigError(f"hydra.sweeper.custom_search_space failed: {text.error(error)}") from error
        return {key: value for key, value in trial.params.items() if key not in before}

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Whether the pruner wants the trial stopped. A second attempt is heard from where the first one ended."""
        if len(self._study.directions) > 1 or epoch <= self._reported.get(number, 0) or math.isnan(value):
            return False
        trial = self._running[number]
        trial.report(value, epoch)
        prunes = trial.should_prune()
        self._reported[number] = epoch
        return prunes

    def tell(
        self, number: int, state: State, values: Sequence[float] | None, facts: Mapping[str, Any] | None = None
    ) -> None:
        """A pruned trial counts with its last reported value; one that may go on stays as it is.

        facts: what the trial told, for the constraints.
        """
        if state in OPEN:
            return
        trial = self._running[number]
        for name in self._kept:
            if name in (facts or {}):
                trial.set_user_attr(name, facts[name])
        gaps = constraints.gaps(self._constraints, facts or {}, values)
        told, values = self._outcome(state, values)
        if told is not TrialState.FAIL:
            feasibility.tell(trial, gaps)
        try:
            self._study.tell(trial, values, state=told)
        except RuntimeError:  # an exhausted grid calls study.stop(), which is meant for optimize(); all is told by then
            if self.size is None:
                raise
        self._forget(number)

    def _forget(self, number: int) -> None:
        self._running.pop(number, None)
        self._reported.pop(number, None)

    def _outcome(self, state: State, values: Sequence[float] | None) -> tuple[TrialState, Sequence[float] | None]:
        """In Optuna's words. Samplers pass over failed trials, so one that its hyperparameters ruined is no failure."""
        if state == "FINISHED":
            return TrialState.COMPLETE, values
        if state == "PRUNED":
            return TrialState.PRUNED, None
        if state in BAD:
            worst = {StudyDirection.MAXIMIZE: -math.inf, StudyDirection.MINIMIZE: math.inf}
            return TrialState.COMPLETE, [worst[direction] for direction in self._study.directions]
        return TrialState.FAIL, None


def _create(
    settings: Settings, drawing: BaseSampler, folder: Path, held: BaseStorage | None
) -> tuple[optuna.Study, BaseStorage]:
    """With what holds it."""
    pruner = node.made(settings.pruner, "hydra.sweeper.pruner", settings.allow)
    try:
        held = held or storage.build(settings, folder)
        study = optuna.create_study(
            storage=held,
            sampler=drawing,
            pruner=pruner,
            study_name=settings.study_name or folder.name,
            directions=list(settings.directions),
            load_if_exists=True,
        )
    except SweeperError:
        raise
    except Exception as error:  # Optuna's, and those of every kind of database
        raise ConfigError(f"hydra.sweeper.storage={settings.storage} cannot hold the study: {error}") from error
    begun = tuple(direction.name.lower() for direction in study.directions)
    if begun != settings.directions:
        raise ConfigError(
            f"Study {study.study_name} in {settings.storage} was begun with direction {', '.join(begun)}, not "
            f"{', '.join(settings.directions)}. Give that one, or another hydra.sweeper.study_name."
        )
    return study, held

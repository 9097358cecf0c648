"""A study in a database, whose trials several coordinators run: each asks for its own, none runs another's.

How a trial ended is noted at its place before anybody hears of it: that makes it impossible for two to tell it, and
whoever finds it noted and not told can tell it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from sqlalchemy.exc import SQLAlchemyError

from sweeper.errors import ConfigError, SweeperError
from sweeper.records.events import TrialEnded
from sweeper.records.record import Trial
from sweeper.records.states import OPEN, State
from sweeper.search import sampler
from sweeper.search.settings import Settings
from sweeper.search.space import Space
from sweeper.search.study import OWNER, Proposal, Study
from sweeper.secret import without_credentials
from sweeper.sharing import claims, database, outage, seeds, session, settled
from sweeper.sharing.claims import Claims
from sweeper.sharing.estate import Estate
from sweeper.sharing.members import Members
from sweeper.sharing.outage import Outage
from sweeper.sharing.places import Place, Places
from sweeper.sharing.session import Session
from sweeper.sharing.watch import Watch
from sweeper.training import checkpoint

T = TypeVar("T")


class StudyDeleted(SweeperError):
    """By somebody, with all of its trials, while a sweep took part in it."""

    exit_code = 1


class SharedStudy(Study):
    is_shared = True

    def __init__(
        self,
        settings: Settings,
        space: Space,
        folder: Path,
        *,
        is_over: Callable[[], bool],
        **keys: Any,
    ):
        """is_over: whether the sweep has to end, and no longer waits for the database. keys: as of `Study`.

        Raises: ConfigError as that one, and if there is nothing left to do in the study.
        """
        self._database = database.opened(settings)
        self._address = without_credentials(self._database.engine.url.render_as_string())
        self._folder, self._outage = folder, Outage(self._address, is_over)
        self._watch: Watch | None = None
        self._origins: dict[int, Path | None] = {}  # folders that trials were begun in by others
        self._held = optuna.storages.get_storage(self._database)
        try:
            super().__init__(settings, space, folder, held=self._held, **keys)
            self._study.sampler = seeds.reseeded(self._study, self._members, settings, space, keys.get("price"))
        except (SQLAlchemyError, StorageInternalError) as error:
            self.close()
            raise ConfigError(f"hydra.sweeper.storage={self._address}: {outage.reason(error)}") from error
        except BaseException:
            self.close()
            raise

    def _begin(
        self, settings: Settings, enqueued: Sequence[dict[str, Any]], earlier: Sequence[Trial] | None
    ) -> list[Proposal]:
        engine, study = self._database.engine, self._held.get_study_id_from_name(self._study.study_name)
        self._most = min(settings.n_trials, self.size or settings.n_trials)
        claims.forget_deleted(engine, self._study, study)
        token, host = session.token(self._folder), socket.gethostname()
        self._members = Members(engine, study, token, str(self._folder), host, settings.heartbeat)
        self._places = Places(engine, study, self._members.me)
        self._claims = Claims(self._held, study, self._places, self._members.me, self._owner)
        self._watch = Watch(self._members, self._places, settings.heartbeat, lambda: list(self._running))
        with self._members.turn():
            self._claims.count_in()
            begun = [] if earlier is None else self._resume(earlier)
            self._enqueue(enqueued)
        self._watch.look()
        self._check_work(begun, earlier)
        Session(self._address, self._study.study_name, self._members.token).write(self._folder)
        return begun

    def _resume(self, earlier: Sequence[Trial]) -> list[Proposal]:
        """What this sweep has left open and nobody has taken over. Of the rest, `ended` tells what became of it."""
        self._check_holds([trial.number for trial in earlier])
        estate = Estate(self._members, self._places, earlier)
        for ended in estate.untold():
            self._places.settle(ended.trial, settled.written(ended))
            self._tell_of(ended)
        self.ended = estate.away(self.taker)
        for trial in estate.begun:
            self._running[trial.number] = self._trial(trial.number)
        return [self._proposal(trial.number, trial.params) for trial in estate.begun]

    def _check_work(self, begun: Sequence[Proposal], earlier: Sequence[Trial] | None) -> None:
        """Raises: ConfigError if a new sweep would have nothing to do, now or when another one is lost."""
        if earlier is None and not (begun or self.is_ready or self.waits_for_others):
            claimed = self._watch.census.claimed
            raise ConfigError(
                f"Study {self._study.study_name} in {self._address} has all its {claimed} trials. Give "
                f"more, hydra.sweeper.n_trials={2 * claimed} is the total of all sweeps that share it, or "
                "another hydra.sweeper.study_name."
            )

    @property
    def is_ready(self) -> bool:
        return self._watch.census.room(self._most)

    @property
    def waits_for_others(self) -> bool:
        return self._watch.census.elsewhere + self._watch.census.untold > 0

    @property
    def ended_elsewhere(self) -> int:
        return self._watch.census.ended

    @property
    def waited(self) -> float:
        return self._outage.seconds

    def ask(self) -> Proposal | None:
        """None if others were faster."""
        return self._done(self._ask)

    def _ask(self) -> Proposal | None:
        study = self._study  # it does not look again at trials that it knows: a new one does
        self._study = optuna.load_study(
            study_name=study.study_name, storage=self._held, sampler=study.sampler, pruner=study.pruner
        )
        with self._members.turn() if isinstance(study.sampler, sampler.IN_TURN) else nullcontext():
            place = self._claims.place(self._most, self._running)
            if place is None:
                self._watch.look()
                return None
            try:
                return self._asked(place)
            except Exception:
                if self._places.holds(place):
                    raise
                return None  # this process stood still meanwhile: another coordinator has run it, and may have told it

    def _asked(self, place: Place) -> Proposal | None:
        number = self._claims.trial(place)
        if number is None:
            return None
        trial = self._trial(number)
        trial.set_user_attr(OWNER, self._owner)
        proposal = replace(self._propose(trial), losses=place.losses)
        if place.coordinator != self._members.me and (before := self._members.all().get(place.coordinator)):
            self._origins[number] = session.folder_of(number, before)
        self._running[number] = trial
        return proposal

    def _trial(self, number: int) -> optuna.Trial:
        trial = optuna.Trial(self._study, self._claims.key(number))
        self._reported[number] = max(self._held.get_trial(self._claims.key(number)).intermediate_values, default=0)
        return trial

    def bring(self, number: int, subdir: str) -> None:
        if origin := self._origins.pop(number, None):
            checkpoint.copy(origin, self._folder / subdir)

    def _done(self, action: Callable[[], T]) -> T:
        """See `Outage.outlast`. Raises: StudyDeleted."""
        try:
            return self._outage.outlast(action)
        except KeyError as error:
            if self._study.study_name in optuna.get_all_study_names(self._held):
                raise
            raise StudyDeleted(
                f"Study {self._study.study_name} in {self._address} was deleted while this sweep took part in it. What "
                f"it found until then is in {self._folder}; for a new one that begins with its trials: "
                f"hydra.sweeper.enqueue={self._folder}"
            ) from error

    def report(self, number: int, epoch: int, value: float) -> bool:
        try:
            return self._done(partial(super().report, number, epoch, value))
        except UpdateFinishedTrialError:  # another coordinator has it, and was faster
            return True

    def settle(self, ended: TrialEnded) -> bool:
        if ended.state in OPEN:
            return True
        return self._done(partial(self._places.settle, ended.trial, settled.written(ended)))

    def tell(
        self, number: int, state: State, values: Sequence[float] | None, facts: Mapping[str, Any] | None = None
    ) -> None:
        if state == "TAKEN_OVER":
            self._forget(number)
            self._done(self._watch.look)  # others have it: they are waited for
        elif state not in OPEN:
            self._done(partial(self._tell, number, state, values, facts))

    def _tell(self, number: int, state: State, values: Sequence[float] | None, facts: Mapping[str, Any] | None) -> None:
        try:
            super().tell(number, state, values, facts)
        except (ValueError, UpdateFinishedTrialError):
            if not self._held.get_trial(self._claims.key(number)).state.is_finished():
                raise
            self._forget(number)  # the answer to the first attempt was lost, or another coordinator has told it

    def _tell_of(self, ended: TrialEnded) -> None:
        """A trial that this session has not run."""
        self._running[ended.trial] = self._trial(ended.trial)
        self._tell(ended.trial, ended.state, ended.values, ended.facts)

    def refresh(self) -> None:
        """Tells what coordinators have settled, and not told before they were lost."""
        if self._watch.census.untold:
            self._done(self._tell_for_others)

    def _tell_for_others(self) -> None:
        for place in self._places.untold():
            self._tell_of(settled.read(place.outcome))
        self._watch.look()

    def lost(self, number: int) -> bool:
        return self._done(partial(self._watch.lost, number))

    def taker(self, number: int) -> str:
        return self._done(partial(self._watch.taker, number))

    def close(self) -> None:
        """Others may take over at once what this coordinator has left open."""
        if self._watch is not None:
            self._watch.leave()
        self._database.engine.dispose()

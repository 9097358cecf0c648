"""A study in a database, whose trials several coordinators run: each asks for its own, none runs another's.

How a trial ended is noted at its place before anybody hears of it: that makes it impossible for two to tell it, and
whoever finds it noted and not told can tell it.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import GridSampler
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from sweeper.errors import ConfigError, DataError
from sweeper.records import record
from sweeper.records.events import TrialEnded
from sweeper.records.record import Trial
from sweeper.records.states import OPEN, State
from sweeper.search import sampler
from sweeper.search.sampler import Price
from sweeper.search.settings import Settings
from sweeper.search.space import Space
from sweeper.search.study import OWNER, Proposal, Study
from sweeper.secret import without_credentials
from sweeper.sharing import claims, database, outage, session, settled
from sweeper.sharing.claims import Claims
from sweeper.sharing.heartbeat import Heartbeat
from sweeper.sharing.members import Member, Members
from sweeper.sharing.outage import Outage
from sweeper.sharing.places import Census, Place, Places
from sweeper.sharing.session import Session
from sweeper.sharing.tables import HERE
from sweeper.training import checkpoint

_ORDER = "sweeper.order"  # of the study: the seed of the order that a grid is gone through in
_APART = 1_000_003  # between the seeds of two coordinators: more than a study has trials


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
        address = self._database.engine.url.render_as_string()
        self._address, self._folder = without_credentials(address), folder
        self._outage = Outage(address, is_over)
        self._heartbeat: Heartbeat | None = None
        self._members: Members | None = None
        self._census = Census(0, 0, 0, 0)
        self._losing: frozenset[int] = frozenset()  # trials that the heartbeat saw with another coordinator
        self._gone: frozenset[int] = frozenset()  # coordinators
        self._origins: dict[int, Path | None] = {}  # folders that trials were begun in by others
        self._mended: frozenset[int] = frozenset()  # those of them whose trials are told
        self._held = optuna.storages.get_storage(self._database)
        try:
            super().__init__(settings, space, folder, held=self._held, **keys)
            self._reseed(settings, space, keys.get("price"))
        except SQLAlchemyError as error:
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
        self._members = Members(engine, study, str(self._folder), socket.gethostname(), settings.heartbeat)
        self._places = Places(engine, study, self._members.me)
        self._claims = Claims(self._held, study, self._places, self._members.me, self._owner)
        self._heartbeat = Heartbeat(self._members, settings.heartbeat, self._look)
        with self._members.turn():
            self._claims.count_in()
            begun = [] if earlier is None else self._resume(earlier)
            self._enqueue(enqueued)
        self._look(self._members.all())
        self._check_work(begun, earlier)
        Session(self._address, self._study.study_name, self._members.token).write(self._folder)
        return begun

    def _resume(self, earlier: Sequence[Trial]) -> list[Proposal]:
        """What this sweep has left open and nobody has taken over. Of the rest, `ended` tells what became of it."""
        known = {trial.number: trial for trial in earlier}
        self._check_holds(known)
        before = self._before()
        mine = [place for place in self._places.of(known).values() if place.coordinator is None and not place.outcome]
        if before is not None:
            self._members.leave(before)
            mine += [place for place in self._places.open() if place.coordinator == before]
        taken = {place.trial for place in mine if self._places.take(place)}
        begun = [self._take_up_again(known[number]) for number in sorted(taken & known.keys())]
        away = [trial for trial in earlier if trial.state in OPEN and trial.number not in taken]
        places = self._places.of([trial.number for trial in away])
        self.ended = [self._what_became(places[trial.number], before) for trial in away]
        return [proposal for proposal in begun if proposal]

    def _take_up_again(self, trial: Trial) -> Proposal | None:
        """None if it has ended, and is only told now."""
        self._running[trial.number] = self._trial(trial.number)
        if trial.state in OPEN:
            return self._proposal(trial.number, trial.params)
        ended = TrialEnded(trial.number, trial.state, trial.values, trial.reason, trial.facts, missed=trial.missed)
        self._places.settle(trial.number, settled.written(ended))
        self.tell(trial.number, trial.state, trial.values, trial.facts)
        return None

    def _what_became(self, place: Place, before: int | None) -> TrialEnded:
        """Of a trial that the journal has as open. before: the coordinator that this sweep was."""
        if place.outcome and place.coordinator == before:
            return settled.read(place.outcome)
        reason = f"{self.taker(place.trial)} has taken it over"
        return TrialEnded(place.trial, "TAKEN_OVER", None, reason, time=time.time())

    def _before(self) -> int | None:
        """The coordinator that this sweep was when it ran last. Its process is gone: the folder is held by this one."""
        token = session.token(self._folder)
        return next((member.number for member in self._members.all().values() if member.token == token), None)

    def _check_work(self, begun: Sequence[Proposal], earlier: Sequence[Trial] | None) -> None:
        """Raises: ConfigError if a new sweep would have nothing to do, now or when another one is lost."""
        if earlier is None and not (begun or self.is_ready or self.waits_for_others):
            raise ConfigError(
                f"Study {self._study.study_name} in {self._address} has all its {self._census.claimed} trials. Give "
                f"more, hydra.sweeper.n_trials={2 * self._census.claimed} is the total of all sweeps that share it, or "
                "another hydra.sweeper.study_name."
            )

    def _reseed(self, settings: Settings, space: Space, price: Price | None) -> None:
        """Two coordinators draw different trials; but they go through a grid in the same order, that of the first."""
        order = None
        if isinstance(self._study.sampler, GridSampler):
            with self._members.turn():
                order = self._study.user_attrs.get(_ORDER)
                if order is None:
                    order = settings.sampler.get("seed") or 0
                    self._study.set_user_attr(_ORDER, order)
        drawn = (len(self._study.get_trials(deepcopy=False)) + _APART * self._members.me) % 2**31
        self._study.sampler, _ = sampler.build(settings, space, drawn, price, order)

    @property
    def is_ready(self) -> bool:
        return self._census.room(self._most)

    @property
    def waits_for_others(self) -> bool:
        return self._census.elsewhere > 0

    @property
    def ended_elsewhere(self) -> int:
        return self._census.ended

    @property
    def waited(self) -> float:
        return self._outage.seconds

    def ask(self) -> Proposal | None:
        """None if others were faster."""
        return self._outage.outlast(self._ask)

    def _ask(self) -> Proposal | None:
        study = self._study  # it does not look again at trials that it knows: a new one does
        self._study = optuna.load_study(
            study_name=study.study_name, storage=self._held, sampler=study.sampler, pruner=study.pruner
        )
        with self._members.turn() if isinstance(study.sampler, sampler.IN_TURN) else nullcontext():
            place = self._claims.place(self._most, self._running)
            if place is None:
                self._census = self._places.census()
                return None
            number = self._claims.trial(place)
            if number is None:
                return None
            trial = self._trial(number)
            trial.set_user_attr(OWNER, self._owner)
            proposal = replace(self._propose(trial), losses=place.losses)
            self._origins[number] = self._folder_of(place)
            self._running[number] = trial
            return proposal

    def _trial(self, number: int) -> optuna.Trial:
        trial = optuna.Trial(self._study, self._claims.key(number))
        self._reported[number] = max(self._held.get_trial(self._claims.key(number)).intermediate_values, default=0)
        return trial

    def _folder_of(self, place: Place) -> Path | None:
        """Where the coordinator that had it has trained its trial, if that is on a disk of this machine, too."""
        member = self._members.all().get(place.coordinator)
        if member is None or member.number == self._members.me:
            return None
        folder = Path(member.folder)
        if session.token(folder) != member.token:
            return None  # this machine has another sweep there, or none
        with suppress(OSError, DataError):
            trials = record.read(folder, curves=False).trials
            return next((trial.folder for trial in trials if trial.number == place.trial), None)
        return None

    def bring(self, number: int, subdir: str) -> None:
        if origin := self._origins.pop(number, None):
            checkpoint.copy(origin, self._folder / subdir)

    def report(self, number: int, epoch: int, value: float) -> bool:
        try:
            return self._outage.outlast(partial(super().report, number, epoch, value))
        except UpdateFinishedTrialError:  # another coordinator has it, and was faster
            return True

    def settle(self, ended: TrialEnded) -> bool:
        if ended.state in OPEN:
            return True
        return self._outage.outlast(partial(self._places.settle, ended.trial, settled.written(ended)))

    def tell(
        self, number: int, state: State, values: Sequence[float] | None, facts: Mapping[str, Any] | None = None
    ) -> None:
        if state == "TAKEN_OVER":
            self._forget(number)
        elif state not in OPEN:
            self._outage.outlast(partial(self._tell, number, state, values, facts))

    def _tell(self, number: int, state: State, values: Sequence[float] | None, facts: Mapping[str, Any] | None) -> None:
        try:
            super().tell(number, state, values, facts)
        except (ValueError, UpdateFinishedTrialError):
            if not self._held.get_trial(self._claims.key(number)).state.is_finished():
                raise
            self._forget(number)  # the answer to the first attempt was lost, or another coordinator has told it

    def refresh(self) -> None:
        """Tells what coordinators have settled, and not told before they were lost."""
        gone = self._gone
        if gone == self._mended:
            return
        self._outage.outlast(self._mend)
        self._mended = gone

    def _mend(self) -> None:
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        untold = [trial.number for trial in running if trial.number not in self._running]
        for place in self._places.settled(untold):
            if place.outcome:
                ended = settled.read(place.outcome)
                self._running[place.trial] = self._trial(place.trial)
                self._tell(ended.trial, ended.state, ended.values, ended.facts)

    def lost(self, number: int) -> bool:
        if number not in self._losing:
            return False
        place = self._outage.outlast(partial(self._places.of, [number]))[number]
        return place.coordinator != self._members.me  # it may have come back to this one meanwhile

    def taker(self, number: int) -> str:
        return self._outage.outlast(partial(self._taker, number))

    def _taker(self, number: int) -> str:
        place = self._places.of([number])[number]
        member = self._members.all().get(place.coordinator)
        return member.name if member else "somebody"

    def _look(self, members: Mapping[int, Member]) -> None:
        """In the heartbeat's thread."""
        running = list(self._running)
        held = self._places.of(running)
        self._losing = frozenset(trial for trial, place in held.items() if place.coordinator != self._members.me)
        self._census = self._places.census()
        self._gone = frozenset(number for number, member in members.items() if member.state != HERE)

    def close(self) -> None:
        """Others may take over at once what this coordinator has left open."""
        if self._heartbeat is not None:
            self._heartbeat.close()
            self._heartbeat = None
            with suppress(SQLAlchemyError):  # it is away: they will notice
                self._members.leave()
        self._database.engine.dispose()

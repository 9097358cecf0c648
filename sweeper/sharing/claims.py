"""Which trial of Optuna's a place has: one that waits, one that somebody else has begun, or a new one.

A trial is made once its place is claimed, and says from its first moment which place that is. So whatever is lost
half-way, what is in the database is enough for another coordinator to go on from.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from optuna import Study
from optuna.storages import BaseStorage
from optuna.trial import TrialState, create_trial
from sqlalchemy import Engine

from sweeper.search.study import OWNER
from sweeper.sharing import tables
from sweeper.sharing.places import Place, Places
from sweeper.sharing.tables import LOST

_PLACE = "sweeper.place"  # the user attribute of a trial that names its place


class Claims:
    def __init__(self, storage: BaseStorage, study: int, places: Places, me: int, owner: str):
        """study: Optuna's ID of it. me: number of this coordinator. owner: what its trials name as their sweep."""
        self._storage, self._study, self._places, self._me, self._owner = storage, study, places, me, owner

    def key(self, trial: int) -> int:
        """Optuna's ID of a trial of this number."""
        return self._storage.get_trial_id_from_study_id_trial_number(self._study, trial)

    def count_in(self) -> None:
        """Gives places to trials of Optuna's own workers, or of an earlier version of ours: they count."""
        known = self._places.trials()
        for trial in self._storage.get_all_trials(self._study, deepcopy=False):
            is_ours = trial.number in known or _PLACE in trial.user_attrs
            if not is_ours and trial.state != TrialState.WAITING:
                self._places.count_in(trial.number, "" if trial.state.is_finished() else None)

    def place(self, most: int, running: Collection[int]) -> Place | None:
        """One whose coordinator is gone, if there is any; else a new one, if there are less than `most`.

        running: trials that this coordinator has.
        """
        for place in self._places.open():
            if place.trial in running:
                continue
            if place.coordinator == self._me:
                return place  # half asked for, when the database went away
            if self._places.take(place):
                return replace(place, losses=place.losses + (place.state == LOST))
        for waiting in self._storage.get_all_trials(self._study, deepcopy=False, states=(TrialState.WAITING,)):
            if claimed := self._places.claim(most, waiting.number):
                return claimed
        return self._places.claim(most)

    def trial(self, place: Place) -> int | None:
        """The number of its trial, which runs from now on; None if another coordinator was faster."""
        if place.trial is not None:
            self._storage.set_trial_state_values(self.key(place.trial), TrialState.RUNNING)  # it may be one that waits
            return place.trial
        number = self._found(place) if not place.is_new else None
        if number is None:
            number = self._made(place)
        if self._places.note(place, number):
            return number
        if not self._places.of([number]):  # this process was away, and the place's new holder has made another one
            self._storage.set_trial_state_values(self.key(number), TrialState.FAIL)
        return None

    def _found(self, place: Place) -> int | None:
        """The trial that somebody has made for it before being lost."""
        trials = self._storage.get_all_trials(self._study, deepcopy=False)
        return next((trial.number for trial in trials if trial.user_attrs.get(_PLACE) == place.number), None)

    def _made(self, place: Place) -> int:
        attributes = {OWNER: self._owner, _PLACE: place.number}
        template = create_trial(state=TrialState.RUNNING, user_attrs=attributes)
        return self._storage.get_trial_number_from_id(self._storage.create_new_trial(self._study, template))


def forget_deleted(engine: Engine, study: Study, number: int) -> None:
    """SQLite gives the ID of a study that somebody has deleted to the next one, and leaves our rows of it.

    number: Optuna's ID of the study.
    """
    latest = tables.latest_trial(engine, number)  # asked first: trials only become more
    if latest >= len(study.get_trials(deepcopy=False)):
        tables.forget(engine, number)

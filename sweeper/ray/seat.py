"""What the coordinator's machine knows of a slot on a Ray cluster, from asking for its actor to its loss."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from sweeper.engine.executor import Died, Done, Message, Queued, Raised, Ready, TrialJob
from sweeper.errors import SweeperError
from sweeper.ray import shared_folder
from sweeper.ray.messages import Answered, Command, Ended, Heard, Killed, Submitted
from sweeper.ray.shared_folder import Site
from sweeper.ray.shipped_data import Parcel

_MOMENT = 0.1  # seconds
_FAILED_STARTS = 3  # actors in a row that are lost before they are ready: the next one would be, too


class Seat:
    """It stays while actors come and go: one is lost with its node, or given back while there is nothing to do."""

    def __init__(self, number: int, begin: Callable[[int], Any], fetch: Callable[[list[str]], Future], site: Site):
        """begin: makes an actor of that number, a `RaySlot`. fetch: the data set of a trial with these overrides."""
        self.number, self._begin, self._fetch, self._site = number, begin, fetch, site
        self.hearing: Any = None  # the reference to what it says next
        self.node: str | None = None  # that it was on last
        self._actor: Any = None
        self._life = 0  # of its process: the number that it spoke with last
        self._deaf_below = 0  # what processes before this one say is not heard any more
        self.is_placed = False  # its actor has spoken
        self._is_ready = False  # its process takes a trial
        self._is_offered = False  # the coordinator takes it for ready
        self._is_away = False  # a call is run elsewhere in its name
        self._shares = True  # the sweep's folder
        self._trial: TrialJob | None = None  # that it has begun
        self._waiting: TrialJob | None = None  # a trial, for the process to be ready or for its data set
        self._data: Future[Parcel | None] | None = None  # what that trial is to be sent
        self._idle_since = 0.0  # on the monotonic clock
        self._failed_starts = 0

    @property
    def awaits_data(self) -> bool:
        return self._data is not None

    @property
    def is_vacant(self) -> bool:
        """Whether nothing would be lost with it but a wait."""
        return not (self._is_ready or self._trial or self._is_away)

    @property
    def is_spare(self) -> bool:
        """Whether nobody wanted it for so long that it gave back what it held."""
        return self._is_offered and self._actor is None

    def ask(self) -> None:
        """For an actor, which comes when the cluster has room."""
        self._actor = self._begin(self.number)
        self._life = self._deaf_below = 0
        self._hear()

    def ask_if_wanted(self, *, spare: bool) -> None:
        """spare: others wait for work already. Then an actor is asked for no longer, and an autoscaler adds no node."""
        if not spare and self._actor is None and not (self._is_offered or self._is_away):
            self.ask()
        elif spare and self._actor is not None and not (self.is_placed or self._waiting):
            self.release()

    def submit(self, trial: TrialJob) -> None:
        self._is_offered, self._waiting = False, trial
        if self._is_ready:
            self._begin_trial()
        elif self._actor is None:
            self.ask()

    def go_on(self) -> None:
        """With a trial whose data set was waited for, if that is there."""
        if self._data and self._data.done():
            trial, data = self._waiting, self._data.result()
            self._waiting = self._data = None
            self._send(trial, data)

    def queued(self) -> list[Queued]:
        """Whether its trial waits for an actor, and with it for room on the cluster."""
        return [Queued(self.number)] if self._waiting and not self._is_ready else []

    def answer(self, stop: bool) -> None:
        self._tell(Answered(stop))

    def kill(self) -> list[Ready]:
        """Whether it is ready at once, for nothing had begun."""
        if self._waiting:
            self._waiting = self._data = None
            return self._offered() if self._is_ready else []
        self._tell(Killed())
        self._deaf_below = self._life + 1
        self._trial, self._is_ready = None, False
        return []

    def leave(self) -> None:
        """A call is run elsewhere in its name, until it is `back`."""
        self._is_offered, self._is_away = False, True

    def back(self) -> list[Ready]:
        self._is_away = False
        return self._offered()

    def take(self, heard: Heard) -> list[Message]:
        """What it said, for the coordinator; the files that came with it are written before.

        Raises: SweeperError if the sweep cannot go on, OSError if the disk does not take a file.
        """
        self._hear()
        self.is_placed = True
        self.node, self._shares = heard.node, heard.shares
        shared_folder.unpack(heard.files, Path(self._site.sweep))
        if heard.log:
            with open(self._site.log(self.number), "ab") as log:
                log.write(heard.log)
        if heard.broken:
            raise SweeperError(heard.broken)
        messages: list[Message] = []
        for life, message in heard.said:
            if life >= self._deaf_below:
                self._life = life
                messages += self._understood(message)
        return messages

    def lose(self, reason: str, *, by_chance: bool) -> list[Died]:
        """Its actor; another one is asked for. by_chance: nothing that it did can have been the cause.

        Raises: SweeperError if too many in a row were lost before they were ready.
        """
        never_ready = self._life == 0 and not (self._is_ready or self._trial)
        self._failed_starts = self._failed_starts + 1 if never_ready else 0
        if self._failed_starts >= _FAILED_STARTS:
            raise SweeperError(f"The slots on the cluster are lost before they are ready: {reason}")
        self._kill_actor()
        died = self.give_up(reason, by_chance=by_chance)
        self.ask()
        return died

    def give_up(self, reason: str, *, by_chance: bool) -> list[Died]:
        """Without another actor. A trial that has begun starts again elsewhere; one that waits for an actor, too."""
        was_known = self._trial or self._waiting or self._is_offered
        self.release()
        self._trial, self._waiting, self._is_offered = None, None, False
        return [Died(self.number, reason, by_us=by_chance)] if was_known else []

    def release_if_idle(self, seconds: float) -> None:
        """Gives back what it holds of the cluster if it has had nothing to do for so long; a trial brings it back."""
        rests = self._is_ready and not (self._trial or self._waiting or self._is_away)
        if rests and time.monotonic() > self._idle_since + seconds:
            self.release()

    def release(self) -> Any:
        """Ends what its actor does; Ray ends the actor when nobody holds it any more. Returns the reference to its last
        word, if it has begun to speak.
        """
        if self.is_placed:
            self._tell(Ended())
        elif self._actor is not None:
            self._kill_actor()  # Ray would go on looking for room: it has calls to make
        last = self.hearing if self.is_placed else None
        self._actor = self.hearing = self._data = None
        self._is_ready = self.is_placed = False
        return last

    def _kill_actor(self) -> None:
        import ray

        with suppress(Exception):  # it is gone for good, mostly
            ray.kill(self._actor)

    def _understood(self, message: Message) -> list[Message]:
        match message:
            case Ready():
                self._is_ready, self._failed_starts = True, 0
                self._idle_since = time.monotonic()
                if self._waiting is None:
                    return self._offered()
                self._begin_trial()
                return []
            case Done() | Raised() | Died():
                self._trial, self._is_ready = None, False  # it says when it is
        return [message]

    def _offered(self) -> list[Ready]:
        if self._is_away or self._is_offered:
            return []
        self._is_offered = True
        return [Ready(self.number)]

    def _begin_trial(self) -> None:
        """The one that waits. Most data sets are known already, so they are there within a moment."""
        if self._shares:
            trial, self._waiting = self._waiting, None
            self._send(trial)
            return
        self._data = self._fetch(self._waiting.overrides)
        with suppress(TimeoutError):
            self._data.result(_MOMENT)
        self.go_on()

    def _send(self, trial: TrialJob, data: Parcel | None = None) -> None:
        folders = () if self._shares else (trial.subdir, *trial.reads)
        files = shared_folder.pack(Path(self._site.sweep), folders)
        self._tell(Submitted(replace(trial, shipped=data.names if data else {}), files, data))
        self._trial = trial

    def _tell(self, command: Command) -> None:
        self._actor.tell.remote(self._life, command)

    def _hear(self) -> None:
        self.hearing = self._actor.hear.remote()

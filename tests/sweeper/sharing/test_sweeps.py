"""Several sweeps on one study in a database: one is killed, one is stopped for a while, the database goes away.

Whatever happens, the study has exactly n_trials, each has one result, and each sweep's journal says what it did.
"""

import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import optuna
import pytest
from sqlalchemy import NullPool, create_engine, select
from sqlalchemy.exc import OperationalError

from sweeper.records import journal, record
from sweeper.records.events import EpochReported, SweepStarted, TrialEnded, TrialStarted
from sweeper.sharing.tables import coordinators, places

from ..postgresql import PASSWORD, driven
from ..watched import GATED, PATIENCE, X, let_through, lives, slots, until

LIGHT = (X, "hydra/sweeper/pruner=none", "pause=0.3", "hydra.sweeper.study_name=hills", "hydra.sweeper.heartbeat=4")
ON_AND_ON = ("epochs=1000", "enough=enough")  # until that file is there
TRIALS = 8
MANY = 36
SWEEPS = ("one", "two", "three")


@pytest.fixture(params=["postgresql", pytest.param("sqlite", marks=pytest.mark.slow)])
def storage(request, tmp_path):
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/study.db"
    return request.getfixturevalue("postgresql").make(tmp_path.name)


@pytest.fixture
def join(start, storage):
    """Starts a sweep of the study, in a folder of this name."""

    def join(name, *arguments, n_trials=TRIALS):
        place = (f"hydra.sweeper.storage='{storage}'", f"hydra.sweep.dir={name}")
        return start(*LIGHT, *place, f"hydra.sweeper.n_trials={n_trials}", *arguments)

    return join


def ended(name, *states):
    """Numbers of its trials that ended so."""
    if not Path(name, journal.NAME).exists():
        return []
    events = journal.read(Path(name), epochs=False)
    return [event.trial for event in events if isinstance(event, TrialEnded) and event.state in states]


def begun(name):
    if not Path(name, journal.NAME).exists():
        return {}
    events = journal.read(Path(name), epochs=False)
    return {event.trial: event.params for event in events if isinstance(event, TrialStarted)}


def reported(name):
    """Whether one of its trials has ended an epoch."""
    return Path(name, journal.NAME).exists() and any(
        isinstance(event, EpochReported) for event in journal.read(Path(name))
    )


def sessions(name):
    """How often it has begun to take part."""
    if not Path(name, journal.NAME).exists():
        return 0
    return sum(isinstance(event, SweepStarted) for event in journal.read(Path(name), epochs=False))


def has_begun(name):
    """Or was killed before it wrote anything, and is begun anew."""
    return Path(name, journal.NAME).exists() and any(journal.read(Path(name), epochs=False))


def finish(process):
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out + err


def halted(process, name, storage):
    """The trials that it runs, stopped by SIGSTOP in their middle: its journal and the database have the same ones as
    open, and it does not hold SQLite's lock, with which nobody else gets on.
    """
    sqlite = storage.startswith("sqlite")
    engine = create_engine(driven(storage), poolclass=NullPool, connect_args={"timeout": 0.5} if sqlite else {})
    own = select(coordinators.c.number).where(coordinators.c.folder == str(Path(name).absolute()))
    held = select(places.c.trial).where(places.c.coordinator.in_(own), places.c.outcome.is_(None))
    while process.poll() is None:
        process.send_signal(signal.SIGSTOP)
        running = {trial.number for trial in record.read(Path(name)).open}
        with suppress(OperationalError), engine.connect() as connection:
            connection.exec_driver_sql("BEGIN EXCLUSIVE" if sqlite else "BEGIN")
            if running and running == set(connection.scalars(held)):
                return running
        process.send_signal(signal.SIGCONT)
        time.sleep(0.1)
    raise AssertionError("it was over before")


def until_in_the_middle(*names):
    """Until each of these sweeps, which are GATED, has one finished trial, and goes on with others."""
    until(lambda: all(begun(name) for name in names))
    let_through(*(min(begun(name)) for name in names))
    until(lambda: all(ended(name, "FINISHED") and len(begun(name)) > 1 for name in names))


def let_all_through():
    """Also those that come instead of others."""
    let_through(*range(2 * MANY))


def assert_is_whole(storage, *names, n_trials=TRIALS):
    """The study and the journals of all its sweeps agree on n_trials trials, each finished once."""
    asked = optuna.load_study(study_name="hills", storage=driven(storage)).trials
    assert [trial.number for trial in asked] == list(range(n_trials))
    assert {trial.state.name for trial in asked} == {"COMPLETE"}
    assert len({trial.params["x"] for trial in asked}) == n_trials
    told = [(trial.number, trial.values[0], trial.params["x"]) for name in names for trial in finished(name)]
    assert sorted(told) == [(trial.number, trial.value, trial.params["x"]) for trial in asked]


def finished(name):
    return record.read(Path(name)).finished


def test_the_trials_of_a_killed_sweep_are_run_by_the_other_one_and_stay_its_own(join, storage):
    lost, other = join("lost", GATED), join("other", GATED)
    until_in_the_middle("lost", "other")
    lost.kill()
    lost.wait()
    left = record.read(Path("lost")).open
    let_all_through()
    code, output = finish(other)
    assert code == 0, output
    assert_is_whole(storage, "lost", "other")
    assert left
    for trial in left:
        assert begun("other")[trial.number] == trial.params
    assert "No sign of sweep lost on" in output

    code, output = finish(join("lost", GATED, "hydra.sweeper.resume=lost"))
    assert code == 0, output
    assert_is_whole(storage, "lost", "other")
    sweep = record.read(Path("lost"))
    assert {trial.number for trial in sweep.trials if trial.state == "TAKEN_OVER"} == {trial.number for trial in left}
    assert "sweep other on" in sweep.trials[[trial.number for trial in sweep.trials].index(left[0].number)].reason
    assert not sweep.goes_on


@pytest.mark.slow
def test_a_sweep_that_was_only_away_stops_what_others_have_taken_over(join, storage):
    away, other = join("away", GATED), join("other", GATED)
    until_in_the_middle("away", "other")
    try:
        taken = halted(away, "away", storage)
        let_all_through()
        until(lambda: taken <= set(begun("other")))
    finally:
        away.send_signal(signal.SIGCONT)
    for process in (away, other):
        code, output = finish(process)
        assert code == 0, output
    assert_is_whole(storage, "away", "other")
    assert set(ended("away", "TAKEN_OVER")) == taken


@pytest.mark.slow
def test_a_stopped_sweep_leaves_its_trials_to_the_others_at_once(join, storage):
    long = (GATED, "hydra.sweeper.heartbeat=600")
    stopped, other = join("stopped", *long), join("other", *long)
    until_in_the_middle("stopped", "other")
    stopped.send_signal(signal.SIGINT)
    assert finish(stopped)[0] == 130
    let_all_through()
    code, output = finish(other)
    assert code == 0, output
    assert_is_whole(storage, "stopped", "other")


@pytest.mark.slow
def test_a_trial_that_takes_too_many_sweeps_with_it_is_not_begun_again(join):
    few = (GATED, "hydra.sweeper.max_retries=0", "hydra.sweeper.max_failure_rate=1", "hydra.sweeper.n_jobs=1")
    lost, other = join("lost", *few), join("other", *few)
    until_in_the_middle("lost", "other")
    lost.kill()
    lost.wait()
    (left,) = record.read(Path("lost")).open
    let_all_through()
    code, output = finish(other)
    assert code == 0, output
    assert ended("other", "KILLED") == [left.number]
    assert "1 sweep lost with it" in output


@pytest.mark.slow
def test_a_database_that_goes_away_is_waited_for(start, postgresql, tmp_path):
    storage = postgresql.make(tmp_path.name)
    place = (f"hydra.sweeper.storage='{storage}'", f"hydra.sweeper.n_trials={TRIALS}", "hydra.sweeper.trial_timeout=10")
    sweeps = {name: start(*LIGHT, *ON_AND_ON, *place, f"hydra.sweep.dir={name}") for name in ("one", "two")}
    until(lambda: reported("one") and reported("two"))
    postgresql.stop()
    try:
        time.sleep(12)  # longer than heartbeat and trial_timeout
        assert all(process.poll() is None for process in sweeps.values())
    finally:
        postgresql.start()
    Path("enough").touch()
    for process in sweeps.values():
        code, output = finish(process)
        assert code == 0, output
        assert f"The database postgresql+psycopg://***@127.0.0.1:{postgresql.port}/{tmp_path.name} cannot be" in output
        assert "is back after" in output
        assert PASSWORD not in output
    assert_is_whole(storage, "one", "two")
    assert not ended("one", "TAKEN_OVER", "HUNG") + ended("two", "TAKEN_OVER", "HUNG")


@pytest.mark.slow
def test_ctrl_c_ends_a_sweep_whose_database_is_away_and_it_can_go_on(start, sweep, postgresql, tmp_path):
    arguments = (f"hydra.sweeper.storage='{postgresql.make(tmp_path.name)}'", f"hydra.sweeper.n_trials={TRIALS}")
    process = start(*LIGHT, *ON_AND_ON, *arguments)
    until(lambda: reported("sweep"))
    trained = slots(process)
    postgresql.stop()
    try:
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        code, output = finish(process)
    finally:
        postgresql.start()
    assert code == 130, output
    assert "Traceback" not in output
    assert trained
    assert not any(lives(slot) for slot in trained)
    Path("enough").touch()
    code, output = sweep(*LIGHT, *ON_AND_ON, *arguments, "hydra.sweeper.resume=sweep")
    assert code == 0, output
    assert_is_whole(postgresql.address(tmp_path.name), "sweep")


@pytest.mark.slow
def test_a_study_that_has_all_its_trials_is_told_before_anything_begins(join, storage):
    assert finish(join("first", n_trials=2))[0] == 0
    code, output = finish(join("second", n_trials=2))
    assert code == 2
    assert "has all its 2 trials. Give more, hydra.sweeper.n_trials=4 is the total" in output
    assert not Path("second").exists()
    code, output = finish(join("second", n_trials=3))
    assert code == 0, output
    assert_is_whole(storage, "first", "second", n_trials=3)


@pytest.mark.parametrize("typed", ["'{}'", "${{oc.env:STUDIES}}"])
def test_no_password_is_left_anywhere(start, postgresql, tmp_path, monkeypatch, typed):
    storage = postgresql.make(tmp_path.name)
    monkeypatch.setenv("STUDIES", storage)
    code, output = finish(start(*LIGHT, f"hydra.sweeper.storage={typed.format(storage)}", "hydra.sweeper.n_trials=2"))
    assert code == 0, output
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"trials.jsonl", "study.yaml", "overrides.yaml", "mlflow.db"}
    assert not [str(path) for path in files if PASSWORD.encode() in path.read_bytes()]
    assert PASSWORD not in output
    tables = "sweeper_places, sweeper_coordinators, trial_user_attributes, study_user_attributes"
    for table in tables.split(", "):
        assert PASSWORD not in str(postgresql.sql(tmp_path.name, f"SELECT * FROM {table}"))


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"password": "another-s3cr3t"}, "password authentication failed"),
        ({"database": "nowhere"}, 'database "nowhere" does not exist'),
        ({"port": 1}, "Connection refused"),
    ],
)
def test_what_is_wrong_with_an_address_is_told_without_its_password(start, postgresql, wrong, complaint):
    address = postgresql.address(wrong.get("database", "postgres"), wrong.get("password", PASSWORD))
    address = address.replace(f":{postgresql.port}/", f":{wrong.get('port', postgresql.port)}/")
    code, output = finish(start(*LIGHT, f"hydra.sweeper.storage='{address}'"))
    assert code == 2
    assert "hydra.sweeper.storage=postgresql://***@127.0.0.1:" in output
    assert complaint in output
    assert PASSWORD not in output
    assert "s3cr3t" not in output
    assert not Path("sweep").exists()


class Chaos:
    """What happens to three sweeps of a study, and to its database, at random moments.

    The sweeps are GATED, and their last trials wait for the end of it: none is over before.
    """

    def __init__(self, join, postgresql, seed):
        self._join, self._postgresql, self._random = join, postgresql, random.Random(seed)
        self._processes, self._stopped = {}, {}  # stopped: name -> until when, on the monotonic clock
        self._before = {}  # by name: sessions of the sweep before the process that it has now
        self.happened = Counter()

    def rage(self, seconds):
        let_through(*range(MANY - len(SWEEPS)))
        for name in SWEEPS:
            self._begin(name)
        until(lambda: all(begun(name) for name in SWEEPS))
        deadline, bag = time.monotonic() + seconds, []
        while (now := time.monotonic()) < deadline or bag:
            for name in [name for name, end in self._stopped.items() if end < now]:
                self._wake(name)
            if not bag:  # so that each happens, whatever the seed
                bag = self._random.sample([self._kill, self._stop, self._stop, self._restart], 4)
            happens = bag.pop()
            happens(self._random.choice(SWEEPS))
            self.happened[happens.__name__] += 1
            time.sleep(self._random.uniform(0.3, 2.5))

    def settle(self):
        """All come back, and end."""
        for name in list(self._stopped):
            self._wake(name)
        for name in SWEEPS:
            if name not in self._processes or self._is_refused(name):
                self._begin(name)
                until(lambda name=name: self._takes_part(name))
        let_all_through()
        for process in self._processes.values():
            code, output = finish(process)
            assert code == 0, output

    def _is_refused(self, name):
        """Whether it was begun while the database was away."""
        until(lambda: self._takes_part(name) or self._processes[name].poll() is not None)
        if self._takes_part(name):
            return False
        assert self._processes[name].returncode == 2
        assert "hydra.sweeper.storage=" in self._processes[name].communicate()[1]
        return True

    def _takes_part(self, name):
        return sessions(name) > self._before[name]

    def _begin(self, name):
        self._before[name] = sessions(name)
        resume = (f"hydra.sweeper.resume={name}",) if has_begun(name) else ()
        few = (GATED, "hydra.sweeper.heartbeat=2", "hydra.sweeper.n_jobs=1", "hydra.sweeper.max_retries=100")
        self._processes[name] = self._join(name, *few, *resume, n_trials=MANY)

    def _kill(self, name):
        """Or begins it again, if it was killed before."""
        if process := self._processes.pop(name, None):
            self._stopped.pop(name, None)
            process.kill()
            process.communicate()
        else:
            self._begin(name)

    def _stop(self, name):
        """For less than its heartbeat, or longer."""
        if name in self._processes and name not in self._stopped:
            self._processes[name].send_signal(signal.SIGSTOP)
            self._stopped[name] = time.monotonic() + self._random.uniform(1, 8)

    def _wake(self, name):
        self._stopped.pop(name)
        self._processes[name].send_signal(signal.SIGCONT)

    def _restart(self, _):
        self._postgresql.stop()
        time.sleep(self._random.uniform(0, 1.5))
        self._postgresql.start()


@pytest.mark.slow
def test_whatever_happens_to_three_sweeps_and_their_database_each_trial_ends_once(start, postgresql, tmp_path):
    """Another course of events: CHAOS=7 pytest …"""
    address = postgresql.make(tmp_path.name)

    def join(name, *arguments, n_trials):
        place = (f"hydra.sweeper.storage='{address}'", f"hydra.sweep.dir={name}", f"hydra.sweeper.n_trials={n_trials}")
        return start(*LIGHT, *place, *arguments)

    chaos = Chaos(join, postgresql, int(os.environ.get("CHAOS", 0)))
    chaos.rage(seconds=22)
    chaos.settle()
    assert all(chaos.happened[each] for each in ("_kill", "_stop", "_restart"))
    study = optuna.load_study(study_name="hills", storage=driven(address))
    told = {trial.number: trial.value for trial in study.trials if trial.state.name == "COMPLETE"}
    assert len(told) == MANY
    # What a process makes that stood still just before, and has lost its place meanwhile, it fails at once.
    assert {trial.state.name for trial in study.trials if trial.number not in told} <= {"FAIL"}
    ends = [event for name in SWEEPS for event in journal.read(Path(name), epochs=False) if is_end(event)]
    assert sorted((end.trial, end.state, end.values) for end in ends) == [
        (number, "FINISHED", (value,)) for number, value in sorted(told.items())
    ]


def is_end(event):
    """Of a trial, for good."""
    return isinstance(event, TrialEnded) and event.state not in ("CRASHED", "INTERRUPTED", "TAKEN_OVER")

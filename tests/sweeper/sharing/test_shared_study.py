"""A study in a database as coordinators see it: several of them ask and tell at once, and are lost at any point."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, nullcontext
from itertools import count
from types import SimpleNamespace
from uuid import uuid4

import optuna
import pytest
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import OperationalError

from sweeper.errors import ConfigError
from sweeper.records.events import TrialEnded
from sweeper.records.record import Trial
from sweeper.search.settings import Settings
from sweeper.search.space import Space
from sweeper.sharing import database, settled, tables
from sweeper.sharing.members import Members
from sweeper.sharing.places import Places
from sweeper.sharing.shared_study import SharedStudy, StudyDeleted

from ..postgresql import driven
from ..watched import PATIENCE, until

NAME = "hills"
LIMIT = "idle_in_transaction_session_timeout"
SAIL = {
    "_target_": "sweeper.sail.sampler.SAILSampler",
    "descriptors": {"width": {"low": 0, "high": 2, "bins": 5}},
    "n_startup_trials": 6,
    "n_generations": 5,
}
NUMBERS = Space((), {"x": FloatDistribution(-1, 1), "y": FloatDistribution(-1, 1)}, (), lambda _: {})
GRID = Space(
    (), {"x": CategoricalDistribution((1, 2, 3, 4)), "y": CategoricalDistribution((1, 2, 3))}, (), lambda _: {}
)


@pytest.fixture(params=["postgresql", pytest.param("sqlite", marks=pytest.mark.slow)])
def storage(request, tmp_path):
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/study.db"
    return request.getfixturevalue("postgresql").make(uuid4().hex)


@pytest.fixture
def join(storage, tmp_path):
    """Another coordinator of the study; all are gone afterwards."""
    with ExitStack() as stack:

        def join(n_trials=20, *, sampler="Random", space=NUMBERS, seed=0, earlier=None, folder=None, **keys):
            node = sampler if isinstance(sampler, dict) else {"_target_": f"optuna.samplers.{sampler}Sampler"}
            folder = folder or tmp_path / uuid4().hex
            folder.mkdir(exist_ok=True)
            settings = Settings(
                sampler=OmegaConf.create(node | {"seed": seed}),
                pruner=optuna.pruners.NopPruner(),
                executor=None,
                n_trials=n_trials,
                storage=storage,
                study_name=NAME,
                heartbeat=keys.pop("heartbeat", 60.0),
            )
            known = {"enqueued": (), "extend": None, "earlier": earlier, "is_over": lambda: False} | keys
            return stack.enter_context(closing(SharedStudy(settings, space, folder, **known)))

        yield join


@pytest.fixture
def trials(storage):
    """Those of Optuna's study."""
    return lambda: optuna.load_study(study_name=NAME, storage=driven(storage)).trials


def end(study, number, state="FINISHED", value=0.5):
    """Whether it was this coordinator's to end."""
    ended = TrialEnded(number, state, (value,), None, {"width": 0.1 * (number % 20)})
    mine = study.settle(ended)
    study.tell(number, state if mine else "TAKEN_OVER", ended.values, ended.facts)
    return mine


def work(study, done, errors):
    """Asks and tells until nothing is left."""
    try:
        while study.is_ready or study.waits_for_others:
            study.refresh()
            proposal = study.ask() if study.is_ready else None
            if proposal is None:
                time.sleep(0.05)
            elif end(study, proposal.number):
                done.append(proposal)
    except Exception as error:
        errors.append(error)


def together(*studies, done=None):
    """What each of them has run, all working at once. done: lists that have it meanwhile, too."""
    done, errors = done or [[] for _ in studies], []
    threads = [threading.Thread(target=work, args=(*pair, errors)) for pair in zip(studies, done, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors
    return done


def another(storage, host="elsewhere"):
    """The tables as a coordinator has them that is lost half-way."""
    engine = create_engine(driven(storage))
    with engine.connect() as connection:
        study = connection.exec_driver_sql("SELECT max(study_id) FROM studies").scalar()
    members = Members(engine, study, None, "multirun/lost", host, patience=60)
    return members, Places(engine, study, members.me)


@pytest.mark.parametrize("sampler", ["TPE", "Random", "CmaEs", "NSGAII", "QMC", SAIL], ids=str)
def test_two_coordinators_of_one_seed_draw_no_trial_twice_and_no_trial_too_many(join, trials, sampler):
    if sampler == "QMC":
        sampler = {"_target_": "optuna.samplers.QMCSampler", "scramble": True, "warn_independent_sampling": False}
    one, other = together(join(sampler=sampler), join(sampler=sampler))
    assert [trial.number for trial in trials()] == list(range(20))
    assert {trial.state for trial in trials()} == {TrialState.COMPLETE}
    assert sorted(proposal.number for proposal in one + other) == list(range(20))
    assert one
    assert other
    drawn = [tuple(sorted(trial.params.items())) for trial in trials()]
    assert len(set(drawn)) == 20


def test_a_grid_has_each_cell_once_whatever_the_seeds(join, trials):
    studies = [join(100, sampler="Grid", space=GRID, seed=seed) for seed in (0, 1, None)]
    assert {study.size for study in studies} == {12}
    together(*studies)
    assert len(trials()) == 12
    assert len({tuple(sorted(trial.params.items())) for trial in trials()}) == 12


def test_one_draws_the_grid_in_the_order_of_the_others_also_when_it_comes_later(join, trials):
    first = join(5, sampler="Grid", space=GRID, seed=3)
    together(first)
    together(join(100, sampler="Grid", space=GRID, seed=4))
    assert len({tuple(sorted(trial.params.items())) for trial in trials()}) == len(trials()) == 12


def test_what_is_enqueued_by_all_is_tried_once(join, trials):
    wanted = [{"x": 0.1, "y": 0.1}, {"x": 0.2}]
    together(*(join(6, enqueued=wanted) for _ in range(3)))
    assert [trial.params["x"] for trial in trials()][:2] == [0.1, 0.2]
    assert len({trial.params["x"] for trial in trials()}) == len(trials()) == 6


@pytest.mark.slow
def test_connections_that_break_at_any_moment_cost_no_trial_and_make_none(join, trials, postgresql, storage):
    if storage.startswith("sqlite"):
        pytest.skip("it has no connections")
    studies, over = [join(40), join(40)], threading.Event()
    name = make_url(storage).database
    breaking = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
    done, broken = ([], []), []

    def breaks():  # after each trial, and never so often that none could get through
        last = 0
        while not over.wait(random.uniform(0.0, 0.03)):
            if (now := sum(map(len, done))) > last:
                last = now
                broken.extend(postgresql.sql("postgres", breaking, name))

    thread = threading.Thread(target=breaks)
    thread.start()
    try:
        together(*studies, done=done)
    finally:
        over.set()
        thread.join()
    assert len(broken) > 10
    assert [trial.number for trial in trials()] == list(range(40))
    assert {trial.state for trial in trials()} == {TrialState.COMPLETE}
    assert sorted(proposal.number for part in done for proposal in part) == list(range(40))


def test_a_place_whose_trial_was_never_made_is_filled_by_another(join, trials, storage):
    study = join(3)
    members, places = another(storage)
    assert places.claim(3).number == 0
    members.leave()
    together(study)
    assert [trial.state for trial in trials()] == [TrialState.COMPLETE] * 3


def test_a_trial_that_was_made_but_not_noted_is_run_by_another(join, trials, storage):
    study = join(3)
    members, places = another(storage)
    place = places.claim(3)
    theirs = optuna.load_study(study_name=NAME, storage=driven(storage))
    theirs.add_trial(optuna.trial.create_trial(state=TrialState.RUNNING, user_attrs={"sweeper.place": place.number}))
    members.leave()
    together(study)
    assert [trial.state for trial in trials()] == [TrialState.COMPLETE] * 3


def test_what_was_settled_and_not_told_is_told_by_another_as_it_was(join, trials, storage):
    lost = join(2)
    number = lost.ask().number
    lost._places.settle(number, settled.written(TrialEnded(number, "FINISHED", (0.75,), None)))
    lost.close()
    done = together(join(2))
    assert [(trial.state, trial.value) for trial in trials()] == [
        (TrialState.COMPLETE, 0.75),
        (TrialState.COMPLETE, 0.5),
    ]
    assert [proposal.number for proposal in done[0]] == [1]


def test_none_ends_before_what_others_have_settled_is_told(join, trials):
    lost, other = join(2, heartbeat=1.0), join(2)
    number = lost.ask().number
    lost.settle(TrialEnded(number, "FINISHED", (0.75,), None))
    lost._watch.close()
    together(other)
    assert [(trial.state, trial.value) for trial in trials()] == [
        (TrialState.COMPLETE, 0.75),
        (TrialState.COMPLETE, 0.5),
    ]


def test_what_a_lost_coordinator_settles_on_its_way_back_is_told_if_it_is_lost_again(join, trials):
    silent, other = join(2, heartbeat=1.0), join(2)
    number = silent.ask().number
    silent._watch.close()
    until(lambda: other._watch.census.free == 1)
    other.refresh()
    silent.settle(TrialEnded(number, "FINISHED", (0.75,), None))
    together(other)
    assert [trial.state for trial in trials()] == [TrialState.COMPLETE] * 2


def test_one_that_was_away_waits_for_who_has_taken_its_last_trial(join):
    silent, other = join(1, heartbeat=1.0), join(1)
    number = silent.ask().number
    silent._watch.close()
    until(lambda: other._watch.census.free == 1)
    assert other.ask().number == number
    assert not end(silent, number)
    assert silent.waits_for_others


def test_a_trial_that_others_ended_while_it_was_being_asked_for_is_let_go(join, trials):
    """The asking process stood still for that long."""

    def stand_still(trial):
        silent._watch.close()
        until(lambda: other._watch.census.free == 1)
        assert end(other, other.ask().number)
        trial.suggest_float("z", 0, 1)

    silent, other = join(1, heartbeat=1.0, extend=stand_still), join(1)
    assert silent.ask() is None
    assert [trial.state for trial in trials()] == [TrialState.COMPLETE]


def test_what_came_back_to_a_sweep_that_was_killed_before_it_began_it_again_is_run(join, trials, tmp_path):
    folder = tmp_path / "killed"
    killed = join(1, folder=folder)
    proposal = killed.ask()
    killed._watch.close()
    known = Trial(proposal.number, proposal.params, "", folder / "0", "TAKEN_OVER", subdir="0")
    again = join(1, folder=folder, earlier=[known])
    assert not again.begun
    together(again)
    assert [trial.state for trial in trials()] == [TrialState.COMPLETE]


def test_a_sweep_knows_what_each_of_its_sessions_has_settled(join, tmp_path):
    """Its second one is killed before it writes anything down."""
    folder = tmp_path / "killed"
    killed = join(2, folder=folder)
    settled, left = killed.ask(), killed.ask()
    killed.settle(TrialEnded(settled.number, "FINISHED", (0.75,), None))
    killed._watch.close()
    earlier = [Trial(one.number, one.params, "", folder, "RUNNING") for one in (settled, left)]
    join(2, folder=folder, earlier=earlier)._watch.close()
    third = join(2, folder=folder, earlier=earlier)
    assert [(ended.trial, ended.state, ended.values) for ended in third.ended] == [(0, "FINISHED", (0.75,))]
    assert [proposal.number for proposal in third.begun] == [left.number]


def test_a_coordinator_that_is_heard_of_again_goes_on_with_what_nobody_has_taken(join):
    silent, other = join(3, heartbeat=1.0), join(3)
    kept, taken = silent.ask(), silent.ask()
    silent._watch.close()
    until(lambda: other._watch.census.free == 2)
    again = other.ask()
    assert again.number == kept.number
    assert again.losses == 1
    silent._members.beat()
    assert not end(silent, kept.number)
    assert end(silent, taken.number)
    assert end(other, again.number)


def test_a_living_coordinator_keeps_its_trials_however_long_they_take(join):
    busy, other = join(1, heartbeat=1.0), join(1, heartbeat=1.0)
    number, me = busy.ask().number, busy._members.me
    until(lambda: busy._members.all()[me].beat >= 10)  # one each fifth of a second
    assert other.ask() is None
    assert other.waits_for_others
    assert end(busy, number)


def test_what_a_stopped_process_has_locked_is_free_after_a_while(join, storage, postgresql):
    if storage.startswith("sqlite"):
        pytest.skip("it has one lock for all, for which others wait a minute")
    stopped, other = join(2, heartbeat=1.0), join(2, heartbeat=1.0)
    waits = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
    lifted = f"SELECT current_setting('{LIMIT}'), set_config('{LIMIT}', '0', false)"
    with ThreadPoolExecutor(1) as thread, stopped._database.engine.connect() as connection:
        limit, _ = connection.exec_driver_sql(lifted).one()  # until the other one waits
        assert limit == "1s"
        connection.exec_driver_sql("SELECT * FROM studies FOR UPDATE").all()  # as Optuna when it makes a trial
        asked = thread.submit(other.ask)
        until(lambda: postgresql.sql("postgres", waits, make_url(storage).database))
        assert not asked.done()
        connection.exec_driver_sql(f"SET {LIMIT} = '{limit}'")
        assert asked.result(PATIENCE).number == 0
        connection.invalidate()


def test_how_often_coordinators_were_lost_with_a_trial_is_known_to_the_next(join, storage):
    number = join(1).ask().number
    for losses in range(3):
        members, places = another(storage)
        before = members.all()[members.me - 1]
        assert members.lose(before)
        (place,) = places.open()
        assert (place.trial, place.losses) == (number, losses)
        assert places.take(place)
    members.lose(members.all()[members.me])
    again = join(1).ask()
    assert (again.number, again.losses) == (number, 4)


def test_trials_of_other_programs_count_and_are_left_alone(join, trials, storage):
    theirs = optuna.create_study(study_name=NAME, storage=driven(storage))
    space = dict(NUMBERS.typed)
    theirs.tell(theirs.ask(space), 0.1)
    running = theirs.ask(space)
    together(join(5))
    assert len(trials()) == 5
    assert trials()[running.number].state is TrialState.RUNNING
    assert sum(trial.state is TrialState.COMPLETE for trial in trials()) == 4


def test_a_study_that_was_deleted_begins_anew(join, trials, storage):
    together(join(4))
    optuna.delete_study(study_name=NAME, storage=driven(storage))
    together(join(3))
    assert [trial.number for trial in trials()] == [0, 1, 2]


def test_that_somebody_deleted_the_study_meanwhile_is_told(join, storage):
    study = join(4)
    number = study.ask().number
    optuna.delete_study(study_name=NAME, storage=driven(storage))
    for action in (study.ask, lambda: study.report(number, 1, 0.5), lambda: end(study, number)):
        with pytest.raises(StudyDeleted, match=f"Study {NAME} in .* was deleted while this sweep took part in it"):
            action()


def test_what_the_database_refuses_while_a_sweep_begins_is_told(join, storage):
    engine = create_engine(driven(storage))
    join(1)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE trials RENAME COLUMN number TO another")
    with pytest.raises(ConfigError, match=r"hydra.sweeper.storage=.* (trials\.)?number"):
        join(1)
    engine.dispose()


def test_several_processes_may_make_the_tables_at_once(storage):
    opened, errors = [], []

    def open_it():
        try:
            opened.append(database.opened(Settings(sampler=None, pruner=None, executor=None, storage=storage)))
        except ConfigError as error:
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(opened) == 4
    assert tables.latest_trial(opened[0].engine, 1) == -1


@pytest.mark.parametrize("come", [12, 0])
def test_tables_are_tried_to_be_made_as_long_as_others_make_them(tmp_path, monkeypatch, come):
    """Of SQLite's each is there at once: who is faster now may be slower with the next one."""
    engine, attempts = create_engine(f"sqlite:///{tmp_path}/study.db"), count(1)

    def beaten(*arguments, **keys):
        if (attempt := next(attempts)) == come + 1 > 1:
            return optuna.storages.RDBStorage(*arguments, **keys)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE TABLE IF NOT EXISTS another_{min(attempt, come)} (x INTEGER)")
        raise OperationalError("CREATE TABLE studies", {}, Exception("table studies already exists"))

    monkeypatch.setattr(database, "RDBStorage", beaten)
    monkeypatch.setattr(database, "random", SimpleNamespace(uniform=lambda *_: 0))
    with nullcontext() if come else pytest.raises(ConfigError, match="table studies already exists"):
        database.opened(Settings(sampler=None, pruner=None, executor=None, storage=str(engine.url)))
    assert next(attempts) == (14 if come else 7)
    engine.dispose()


def test_postgres_is_another_name_of_it_and_a_driver_that_is_installed_is_taken(postgresql):
    address = postgresql.make(uuid4().hex).replace("postgresql:", "postgres:")
    opened = database.opened(Settings(sampler=None, pruner=None, executor=None, storage=address))
    assert opened.engine.url.drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("nowhere", "nowhere cannot hold the study: that is no address. Give sqlite:///study.db"),
        ("mssql+pymssql://me:s3cr3t@db/x", "Install it: python -m pip install the driver that its address names"),
        ("postgresql+psycopg2://me:s3cr3t@db/x", "Install it: python -m pip install 'sweeper[postgresql]'"),
        ("sqlite:////nowhere/at/all/study.db", "unable to open database file"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused_with_what_to_do(address, complaint):
    with pytest.raises(ConfigError) as raised:
        database.opened(Settings(sampler=None, pruner=None, executor=None, storage=address))
    assert complaint in str(raised.value)
    assert "s3cr3t" not in str(raised.value)

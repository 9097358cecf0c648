"""The tables beside Optuna's in a database that coordinators share, and the little that is done with any of them.

Optuna knows which trials there are; these tell who may run them. Whatever two coordinators could do at once is one
statement, which only one of them finds true: that holds in every database.
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Engine,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Update,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError

HERE, LEFT, LOST = "here", "left", "lost"  # of a coordinator

_all = MetaData()
# Optuna's own, as far as they are needed here
Table("studies", _all, Column("study_id", Integer, primary_key=True))
trials = Table("trials", _all, Column("study_id", Integer), Column("number", Integer), Column("state", Text))


def _table(name: str, *columns: Column | UniqueConstraint) -> Table:
    """Its rows go when somebody deletes their study."""
    study = ForeignKey("studies.study_id", ondelete="CASCADE")
    return Table(name, _all, Column("study", Integer, study, primary_key=True, autoincrement=False), *columns)


turns = _table(
    "sweeper_turns",
    Column("coordinator", Integer),  # whose turn it is; null: nobody's
)
coordinators = _table(
    "sweeper_coordinators",
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("token", Text, nullable=False),  # of its sweep, the same in all its sessions
    Column("folder", Text, nullable=False),  # of its sweep
    Column("host", Text, nullable=False),
    Column("patience", Float, nullable=False),  # seconds without a sign of it after which it counts as lost
    Column("beat", Integer, nullable=False),  # how many signs it has given
    Column("state", Text, nullable=False),
)
places = _table(
    "sweeper_places",
    Column("number", Integer, primary_key=True, autoincrement=False),  # among n_trials
    Column("trial", Integer),  # Optuna's number; null until Optuna has made it
    Column("coordinator", Integer),  # who runs it; null: nobody whom we know
    Column("losses", Integer, nullable=False),  # coordinators that were lost while they ran it
    Column("outcome", Text),  # how it ended; null while it is open
    UniqueConstraint("study", "trial"),
)


def create(engine: Engine) -> None:
    """Those that are not there."""
    _all.create_all(engine, tables=[turns, coordinators, places])


def changed(engine: Engine, statement: Update) -> bool:
    """Whether it found a row to change."""
    with engine.begin() as connection:
        return connection.execute(statement).rowcount > 0


def added(engine: Engine, table: Table, **row: object) -> bool:
    """Whether nobody has added a row with its keys before."""
    try:
        with engine.begin() as connection:
            connection.execute(insert(table).values(**row))
    except IntegrityError:
        return False
    return True


def next_number(engine: Engine, table: Table, study: int) -> int:
    query = select(func.coalesce(func.max(table.c.number) + 1, 0)).where(table.c.study == study)
    with engine.connect() as connection:
        return connection.scalar(query)


def forget(engine: Engine, study: int) -> None:
    """All rows of a study."""
    with engine.begin() as connection:
        for table in (turns, coordinators, places):
            connection.execute(delete(table).where(table.c.study == study))


def latest_trial(engine: Engine, study: int) -> int:
    """The highest number of a trial that has a place; -1 if none has."""
    query = select(func.coalesce(func.max(places.c.trial), -1)).where(places.c.study == study)
    with engine.connect() as connection:
        return connection.scalar(query)

"""A database for studies: by its address, with a driver that is installed, opened so that its loss is noticed."""

from __future__ import annotations

import logging
import random
import time
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

import optuna
from optuna.storages import RDBStorage
from sqlalchemy import URL, Engine, NullPool, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from sweeper.config import node
from sweeper.errors import ConfigError
from sweeper.search.settings import Settings
from sweeper.secret import without_credentials
from sweeper.sharing import outage, tables

_POSTGRESQL = ("postgresql", "postgres")
_DRIVERS = ("psycopg", "psycopg2")  # of PostgreSQL, ours first
_PATIENCE = {  # of a connection to it, in seconds; else a machine that vanished is waited for by the hour
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
}
_KEEPALIVES = {"tcp_keepalives_idle": 10, "tcp_keepalives_interval": 5, "tcp_keepalives_count": 4}  # of the server
_UNACKNOWLEDGED = 30_000  # milliseconds that what was sent may stay so
_LOUD = "optuna.storages._rdb.storage"  # tells the terminal of what is raised anyway, with all of its SQL
_LOCKED = 60  # seconds that SQLite waits for another process
_ATTEMPTS = 5  # in a row to make the tables between which none came: another process may be making them, one by one


def opened(settings: Settings) -> RDBStorage:
    """That of `hydra.sweeper.storage`, with all tables, Optuna's and ours.

    Raises: ConfigError if it cannot be reached, or no driver for it is installed.
    """
    logging.getLogger(_LOUD).setLevel(logging.ERROR)
    if isinstance(settings.storage, str):
        return _at(settings.storage, settings.heartbeat)
    storage = node.made(settings.storage, "hydra.sweeper.storage", settings.allow)
    tables.create(storage.engine)
    return storage


def _at(address: str, heartbeat: float) -> RDBStorage:
    url = _url(address)
    options = _options(url)
    try:
        engine = create_engine(url, **options, poolclass=NullPool)  # keeps no connection
        engine.connect().close()
    except ModuleNotFoundError as error:
        raise ConfigError(f"{_cannot(address)}: {error}. {_advice(url)}") from error
    except Exception as error:  # those of every kind of database
        raise ConfigError(f"{_cannot(address)}: {outage.reason(error)}") from error
    storage = _with_tables(address, engine, options)
    if url.get_backend_name() == _POSTGRESQL[0]:
        _limit(storage.engine, heartbeat)
    return storage


def _with_tables(address: str, engine: Engine, options: dict[str, object]) -> RDBStorage:
    """Raises: ConfigError if they cannot be made, though nobody else makes them."""
    vain, known = 0, _tables(engine)
    while True:
        try:
            storage = RDBStorage(engine.url.render_as_string(hide_password=False), engine_kwargs=options)
            tables.create(storage.engine)
            return storage
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            now = _tables(engine)
            vain, known = 0 if now - known else vain + 1, known | now
            if vain == _ATTEMPTS:
                raise ConfigError(f"{_cannot(address)}: {outage.reason(error)}") from error
            time.sleep(random.uniform(0.1, 0.5))  # another process has just made a table of the same name


def _tables(engine: Engine) -> set[str]:
    """Those that are there; none if it does not answer."""
    with suppress(SQLAlchemyError):
        return set(inspect(engine).get_table_names())
    return set()


def _limit(engine: Engine, seconds: float) -> None:
    """What a process that is stopped or cut off has locked, it keeps for so long: others wait for it."""
    limits = {"idle_in_transaction_session_timeout": max(1, round(1000 * seconds)), **_KEEPALIVES}

    @event.listens_for(engine, "connect")
    def begin(connection: Any, _: Any) -> None:
        before, connection.autocommit = connection.autocommit, True  # what is set in a transaction ends with it
        with connection.cursor() as cursor:
            for name, limit in limits.items():
                cursor.execute(f"SET {name} = {limit}")
        connection.autocommit = before

    engine.dispose()  # those that were connected before


def _url(address: str) -> URL:
    try:
        url = make_url(address)
    except ArgumentError:
        raise ConfigError(
            f"{_cannot(address)}: that is no address. Give sqlite:///study.db, postgresql://HOST/DATABASE or "
            "journal:///study.log, or null for a journal in the sweep's folder."
        ) from None
    if url.drivername in _POSTGRESQL:
        driver = next(filter(find_spec, _DRIVERS), _DRIVERS[0])
        url = url.set(drivername=f"{_POSTGRESQL[0]}+{driver}")
    return url


def _options(url: URL) -> dict[str, object]:
    """Of the engine. What the address itself says of a connection goes before."""
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": _LOCKED}}
    if url.get_backend_name() != _POSTGRESQL[0]:
        return {}
    known = {**_PATIENCE, "tcp_user_timeout": _UNACKNOWLEDGED}
    return {"connect_args": {key: value for key, value in known.items() if key not in url.query}}


def _cannot(address: str) -> str:
    return f"hydra.sweeper.storage={without_credentials(address)} cannot hold the study"


def _advice(url: URL) -> str:
    extra = "'sweeper[postgresql]'" if url.get_backend_name() == _POSTGRESQL[0] else "the driver that its address names"
    return f"Install it: python -m pip install {extra}"

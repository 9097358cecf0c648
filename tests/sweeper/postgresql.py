"""A PostgreSQL of a test's own, on a port of this machine that only it knows, with a password; gone afterwards."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from . import ports

USER, PASSWORD = "sweeper", "pa55-w0rd-that-nobody-may-see"
_USERS = ("postgres", "nobody")  # whom root asks to run it: it refuses root


def programs() -> Path | None:
    """The folder of initdb and postgres: Debian's, or where PATH finds them."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = debian[-1] if debian else shutil.which("initdb")
    return Path(found).parent if found else None


def driven(storage: str) -> str:
    """The address as SQLAlchemy wants it, with the driver that the tests have. SQLite's stays as it is."""
    return storage.replace("postgresql:", "postgresql+psycopg:")


def _other_user() -> str:
    for name in _USERS:
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    pytest.skip("PostgreSQL refuses root, and there is no user postgres or nobody")


class Server:
    def __init__(self):
        """Skips the test where no PostgreSQL is installed."""
        pytest.importorskip("psycopg", reason="needs psycopg: python -m pip install 'sweeper[postgresql]'")
        self._bin = programs()
        if self._bin is None:
            pytest.skip("needs PostgreSQL's initdb and postgres: Debian's package postgresql")
        self._user = _other_user() if os.geteuid() == 0 else None
        folder = Path(tempfile.mkdtemp(prefix="sweeper-postgresql-"))  # pytest's folders are for one user alone
        self._data = folder / "data"
        if self._user:
            shutil.chown(folder, self._user)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        shutil.chown(secret, self._user or os.geteuid())
        self._run("initdb", "-D", self._data, "-U", USER, "-A", "scram-sha-256", "--pwfile", secret, "--no-sync")
        self.port = ports.free()
        self._process = None
        self.start()

    def start(self) -> None:
        settings = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "max_connections=60")
        options = [word for setting in settings for word in ("-c", setting)]
        command = [self._bin / "postgres", "-D", self._data, "-p", str(self.port), *options]
        log = open(self._data.parent / "log", "ab")  # noqa: SIM115
        self._process = subprocess.Popen(
            command, stdout=log, stderr=log, user=self._user, cwd=self._data, start_new_session=True
        )
        log.close()
        deadline = time.monotonic() + 300
        while not self._answers():
            assert self._process.poll() is None, (self._data.parent / "log").read_text()
            assert time.monotonic() < deadline, "PostgreSQL did not start"
            time.sleep(0.05)

    def stop(self) -> None:
        """As a machine that is switched off, for its clients: it asks none of them to finish."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)  # fast shutdown
            self._process.wait(300)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
            self._process.wait(300)
        shutil.rmtree(self._data.parent)

    def make(self, database: str) -> str:
        """Its address."""
        self.sql("postgres", f'CREATE DATABASE "{database}"')
        return self.address(database)

    def address(self, database: str, password: str = PASSWORD) -> str:
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def sql(self, database: str, command: str, *values) -> list[tuple]:
        import psycopg

        with psycopg.connect(self.address(database), autocommit=True) as connection:
            answer = connection.execute(command, values or None)
            return answer.fetchall() if answer.description else []

    def _answers(self) -> bool:
        import psycopg

        try:
            self.sql("postgres", "SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments) -> None:
        command = [self._bin / program, *arguments]
        subprocess.run(command, user=self._user, cwd=self._data.parent, check=True, capture_output=True)

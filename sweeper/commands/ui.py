"""`python -m sweeper ui`: MLflow's own pages, of the store that the sweeps went to, for this machine alone."""

from __future__ import annotations

import signal
import socket
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path

from rich.console import Console

from sweeper.errors import ConfigError
from sweeper.records import sweeps
from sweeper.secret import without_credentials
from sweeper.tracking import pages, store
from sweeper.tracking.pages import HOST, Pages

_PAUSE = 0.2  # seconds between two looks at the server
_PORT, _TRIED = 5000, 20  # MLflow's own, and how many from there on


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        f"Opens MLflow's pages at http://{HOST}, of the store that a sweep went to, until Ctrl-C. Where that is a "
        "server, prints its address."
    )
    parser.add_argument("--sweep", metavar="ID", help="its folder's name or path (default: the latest)")
    parser.add_argument("--port", metavar="N", type=int, help=f"default: the first free one from {_PORT}")


def run(args: Namespace) -> int:
    """Raises: ConfigError if there is no store, or the port is taken, PagesLost if the server ends by itself."""
    uri = _store(args.sweep)
    if uri.startswith(("http://", "https://")):
        print(f"MLflow's pages are at {without_credentials(uri)}")
        return 0
    port, file = _free_port(args.port), store.sqlite_file(uri)
    stops = _listen()
    # Artifacts may lie in ./mlruns beside the database.
    with pages.served(uri, port, file.parent if file else Path.cwd()) as server:
        with Console(stderr=True).status("MLflow's server is starting"):
            while not (stops or server.answers()):
                _look(server)
        if not stops:
            print(f"http://{HOST}:{port} shows {without_credentials(uri)}, until Ctrl-C", flush=True)
        while not stops:
            _look(server)
    return 0


def _listen() -> list[int]:
    """Ctrl-C, SIGTERM and SIGHUP from now on: an exception could come before the server's process is known."""
    heard: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: heard.append(number))
    return heard


def _look(server: Pages) -> None:
    time.sleep(_PAUSE)
    server.check()


def _store(sweep: str | None) -> str:
    """The URI. Raises: ConfigError if nothing is there."""
    folder = sweeps.locate(sweep) if sweep or sweeps.all() else None
    uri = store.resolve(store.remembered(folder).get("uri") if folder else None)
    file = store.sqlite_file(uri)
    if file and not file.is_file():
        raise ConfigError(
            f"{file} does not exist: nothing was recorded there. Go to the folder that sweeps were started in, or name "
            "one: --sweep PATH"
        )
    return uri


def _free_port(wanted: int | None) -> int:
    """Raises: ConfigError if it is taken, or none of those that are tried is free."""
    ports = range(_PORT, _PORT + _TRIED) if wanted is None else (wanted,)
    for port in ports:
        try:
            with socket.create_server((HOST, port)):
                return port
        except (OSError, OverflowError) as error:
            reason = error
    raise ConfigError(f"Port {port} of {HOST}: {reason}. Give another: --port N")

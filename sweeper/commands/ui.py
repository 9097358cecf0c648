"""`python -m sweeper ui`: MLflow's own pages, of the store that the sweeps went to, for this machine alone."""

from __future__ import annotations

import os
import socket
import sys
from argparse import ArgumentParser, Namespace

from sweeper.errors import ConfigError
from sweeper.records import sweeps
from sweeper.secret import without_credentials
from sweeper.tracking import store

HOST = "127.0.0.1"
_PORT, _TRIED = 5000, 20  # MLflow's own, and how many from there on


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        f"Opens MLflow's pages at http://{HOST}, of the store that a sweep went to, until Ctrl-C. Where that is a "
        "server, prints its address."
    )
    parser.add_argument("--sweep", metavar="ID", help="its folder's name or path (default: the latest)")
    parser.add_argument("--port", metavar="N", type=int, help=f"default: the first free one from {_PORT}")


def run(args: Namespace) -> int:
    """Raises: ConfigError if there is no store, or the port is taken."""
    uri = _store(args.sweep)
    if uri.startswith(("http://", "https://")):
        print(f"MLflow's pages are at {without_credentials(uri)}")
        return 0
    port = _free_port(args.port)
    print(f"http://{HOST}:{port} shows {without_credentials(uri)}, until Ctrl-C", flush=True)
    if file := store.sqlite_file(uri):
        os.chdir(file.parent)  # artifacts may lie in ./mlruns there
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    pages = ["ui", "--backend-store-uri", uri, "--host", HOST, "--port", str(port), "--workers", "1"]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", *pages])


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

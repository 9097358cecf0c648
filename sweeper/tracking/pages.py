"""MLflow's pages, served by a process of their own for as long as somebody looks at them."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sweeper.errors import SweeperError

HOST = "127.0.0.1"
_LAST = 5  # lines of its output that tell why it ended
_PAUSE = 0.05  # seconds between two looks at it
_GRACE = 5.0  # seconds that it has to end in
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # seven processes more, for judges of language models
}


class PagesLost(SweeperError):
    """MLflow's server has ended by itself."""

    exit_code = 1


class Pages:
    """A server at HOST:port. What it prints goes into `log`: none of it is for who looks at the pages."""

    def __init__(self, uri: str, port: int, cwd: Path, log: Path):
        self._port, self._log = port, log
        arguments = ["ui", "--backend-store-uri", uri, "--host", HOST, "--port", str(port), "--workers", "1"]
        with open(log, "wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", *arguments],
                cwd=cwd,
                env=_SETTINGS | os.environ,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C is ours alone to hear, and the group's number is its own
            )

    def answers(self) -> bool:
        try:
            connection = http.client.HTTPConnection(HOST, self._port, timeout=5)  # by no proxy
            connection.request("GET", "/health")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False

    def check(self) -> None:
        """Raises: PagesLost if it has ended."""
        code = self._process.poll()
        if code is not None:
            last = self._log.read_text(errors="replace").splitlines()[-_LAST:]
            told = "\n".join(f"  {line}" for line in last)
            raise PagesLost(
                f"MLflow's server has ended with exit code {code}. All that it printed is in {self._log}\n{told}"
            )

    def close(self) -> None:
        """Ends it and all that it has started."""
        deadline = time.monotonic() + _GRACE
        self._signal(signal.SIGTERM)
        while self._group_lives() and time.monotonic() < deadline:
            time.sleep(_PAUSE)
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _group_lives(self) -> bool:
        self._process.poll()  # buries it: a dead leader counts as a member
        return self._signal(0)

    def _signal(self, number: int) -> bool:
        """Whether anybody of its group is there to get it."""
        try:
            os.killpg(self._process.pid, number)
        except OSError:
            return False
        return True


@contextmanager
def served(uri: str, port: int, cwd: Path) -> Iterator[Pages]:
    """The server, until it is left. Its log stays only where it ended by itself."""
    folder = Path(tempfile.mkdtemp(prefix="sweeper-ui-"))
    pages, lost = Pages(uri, port, cwd, folder / "mlflow.log"), False
    try:
        yield pages
    except PagesLost:
        lost = True
        raise
    finally:
        pages.close()
        if not lost:
            shutil.rmtree(folder, ignore_errors=True)

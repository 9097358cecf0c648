"""Where MLflow keeps runs, and how to reach it: a database beside the user's work, or a server."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from sweeper import text
from sweeper.errors import ConfigError
from sweeper.secret import HIDDEN, without_credentials

if TYPE_CHECKING:
    from mlflow import MlflowClient

NAME = "mlflow.yaml"  # in a sweep's folder: where MLflow has it
DEFAULT = "sqlite:///mlflow.db"  # MLflow's own, so that a plain `mlflow ui` in the same folder shows everything
_SQLITE = "sqlite:///"
_SCHEMES = ("sqlite", "http", "https", "mysql", "postgresql", "mssql", "databricks", "databricks-uc", "uc", "file")
_SHORT = 200  # characters
_LOUD = {  # they tell the terminal of what is raised anyway, or of each step of what goes well
    "alembic": logging.WARNING,
    "mlflow.pyfunc": logging.WARNING,
    "mlflow.store.db.utils": logging.CRITICAL,
    "urllib3.connectionpool": logging.ERROR,
}


@dataclass(frozen=True)
class Tracking:
    uri: str
    experiment: str
    system_metrics: bool = False  # CPU, memory, disk and network on the sweep's run


def read(config: DictConfig, choices: DictConfig, otherwise: str) -> Tracking:
    """conf's `tracking`, if there is one. The experiment is named by the data set, or `otherwise` without one."""
    keys = OmegaConf.select(config, "tracking") or {}
    experiment = keys.get("experiment") or choices.get("dataset", otherwise)
    return Tracking(resolve(keys.get("uri")), experiment, keys.get("system_metrics", False))


def resolve(configured: str | None) -> str:
    """The URI to use: MLFLOW_TRACKING_URI, else `tracking.uri`, else `DEFAULT`.

    Raises: ConfigError for one that MLflow does not know, and of a recorded command, whose password is left out.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or configured or DEFAULT
    if HIDDEN in uri:
        raise ConfigError(
            f"tracking.uri={uri}: a recorded command comes without its password. Leave {HIDDEN}@ out, and set "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD."
        )
    scheme, is_uri, _ = uri.partition("://")
    if is_uri and scheme.partition("+")[0] not in (*_SCHEMES, *_of_plugins()):
        raise ConfigError(
            f"tracking.uri={without_credentials(uri)}: MLflow knows no {scheme}://. Give sqlite:///mlflow.db or "
            f"the http://… of a server; it knows {', '.join(_SCHEMES)}."
        )
    return absolute(uri)


def _of_plugins() -> set[str]:
    """Schemes that other packages teach MLflow."""
    return {point.name for point in entry_points(group="mlflow.tracking_store")}


def absolute(uri: str) -> str:
    """With an absolute path to an sqlite file: every process must mean the same one, whatever its working folder."""
    return f"{_SQLITE}{Path(uri.removeprefix(_SQLITE)).absolute()}" if uri.startswith(_SQLITE) else uri


def sqlite_file(uri: str) -> Path | None:
    """Of an absolute URI; None where it names another kind of store."""
    return Path(uri.removeprefix(_SQLITE)) if uri.startswith(_SQLITE) else None


def remember(folder: Path, uri: str, experiment: str) -> None:
    """For `remembered`: what `replay` takes where nothing else is said."""
    OmegaConf.save({"uri": without_credentials(uri), "experiment": experiment}, folder / NAME)


def remembered(folder: Path) -> dict[str, str]:
    """`uri`, without credentials, and `experiment` of the sweep in this folder. Empty where none was mirrored."""
    path = folder / NAME
    return dict(OmegaConf.load(path)) if path.exists() else {}


def connect(uri: str, experiment: str) -> tuple[MlflowClient, str]:
    """A client and the ID of the experiment, both made where they do not exist yet.

    Raises: ConnectionError whatever the trouble: nothing can be written until somebody mends it.
    """
    _prepare()
    try:
        from mlflow import MlflowClient

        with _alone(uri):
            client = MlflowClient(tracking_uri=uri)
            known = client.get_experiment_by_name(experiment)
            return client, known.experiment_id if known else client.create_experiment(experiment)
    except Exception as error:
        raise ConnectionError(describe(error)) from error


def existing(uri: str) -> MlflowClient:
    """A client of a store that is there: MLflow would make an empty database of a path with a mistake in it.

    Raises: ConnectionError if there is none. Of a server one hears when it is asked.
    """
    path = Path(uri.removeprefix(_SQLITE))
    if uri.startswith(_SQLITE) and not path.is_file():
        raise ConnectionError(f"{path} does not exist")
    _prepare()
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def is_temporary(error: Exception) -> bool:
    """Whether the same call may succeed later: the store is away, locked, full or busy. Else it refused what it got."""
    if isinstance(error, OSError):
        return True
    from mlflow.exceptions import MlflowException

    if not isinstance(error, MlflowException):
        return False
    status = error.get_http_status_code()
    return status >= 500 or status == 429  # too many requests


def describe(error: Exception) -> str:
    """What went wrong at the bottom (Connection refused, database is locked), on one line and without secrets."""
    while below := error.__cause__ or error.__context__:
        error = below
    told = without_credentials(" ".join(text.error(error).split()))
    return told if len(told) <= _SHORT else f"{told[:_SHORT]}…"


def _prepare() -> None:
    """Before MLflow is imported."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # MLflow's 7 are silent for minutes, and repeat what an answer was lost of: two runs instead of one.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    for name, level in _LOUD.items():
        logging.getLogger(name).setLevel(level)


@contextmanager
def _alone(uri: str) -> Iterator[None]:
    """One process at a time creates an sqlite database, all of it or nothing. A server sees to that itself."""
    path = sqlite_file(uri)
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(f"{path.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            _create(path)
        yield


def _create(path: Path) -> None:
    """Under another name first: a process that is killed in these seconds leaves tables that MLflow cannot finish."""
    from mlflow import MlflowClient

    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    MlflowClient(tracking_uri=f"{_SQLITE}{new}").search_experiments(max_results=1)
    new.rename(path)

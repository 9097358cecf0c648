"""Looking at a sweep of the light task, in `sweep` of the working folder, while it runs and afterwards."""

import time
from contextlib import suppress
from pathlib import Path

import mlflow
import optuna
import psutil
import pytest
from optuna.storages.journal import JournalFileBackend

from sweeper.records import journal, record

APP = Path(__file__).resolve().parents[1] / "light" / "app.py"
LATE = APP.with_name("late.py")
X = "x=interval(-1, 1)"
ONE_SLOT = "hydra.sweeper.n_jobs=1"
PATIENCE = 300  # seconds for what must happen, also where all cores have other work
GATED = "gates=gates"  # its trials end no epoch before they are let through
EACH_EXECUTOR = pytest.mark.parametrize(  # one contract for all
    "executor", ["local", pytest.param("ray", marks=pytest.mark.slow)], indirect=True
)


def events(folder="sweep"):
    return list(journal.read(Path(folder))) if Path(folder, journal.NAME).exists() else []


def trials():
    return record.read(Path("sweep")).trials


def study():
    return optuna.load_study(
        study_name="sweep", storage=optuna.storages.JournalStorage(JournalFileBackend("sweep/study.journal"))
    )


def mlflow_client():
    """Of the store beside the sweep. Its path is absolute: MLflow keeps a store a URI, whatever the working folder."""
    return mlflow.MlflowClient(f"sqlite:///{Path('mlflow.db').absolute()}")


def on_cluster(nodes):
    """What is typed for a sweep on it."""
    return "hydra/sweeper/executor=ray", f"hydra.sweeper.executor.address={nodes.address}"


def slots(process):
    """Those that live, also on nodes of a cluster that this process has begun; one may end while it is asked."""
    nodes = [child for child in psutil.Process().children() if "raylet" in told(child)]
    return [slot for one in (psutil.Process(process.pid), *nodes) for slot in below(one, "spawn_main")]


def below(process, word):
    """The processes that it has begun, and they, with that word in their command; one may end while it is asked."""
    with suppress(psutil.NoSuchProcess):
        return [child for child in process.children(recursive=True) if word in told(child)]
    return []


def told(process):
    """Its command; nothing of one that has ended."""
    with suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""


def lives(process):
    """A zombie does not: nobody may be there to bury the child of a killed process."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def let_through(*trials):
    """Of a sweep that is GATED: by number."""
    Path("gates").mkdir(exist_ok=True)
    for trial in trials:
        Path("gates", str(trial)).touch()


def until(condition, seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)

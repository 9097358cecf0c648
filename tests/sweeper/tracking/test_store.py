import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pytest

from sweeper.errors import ConfigError
from sweeper.tracking import store

CONNECT = "import sys; from sweeper.tracking import store; store.connect(sys.argv[1], 'digits')"


def test_a_database_whose_creation_was_killed_is_created_again(tmp_path):
    """Half of its tables would be refused by MLflow for ever."""
    path = tmp_path / "mlflow.db"
    creating = subprocess.Popen([sys.executable, "-c", CONNECT, f"sqlite:///{path}"])
    new = Path(f"{path}.new")
    while not (new.exists() and new.stat().st_size):
        assert creating.poll() is None
        time.sleep(0.001)
    creating.kill()
    creating.wait()
    assert not path.exists()
    client, experiment_id = store.connect(f"sqlite:///{path}", "digits")
    assert client.get_experiment(experiment_id).name == "digits"
    assert mlflow.MlflowClient(f"sqlite:///{path}").create_run(experiment_id).info.status == "RUNNING"


@pytest.mark.parametrize("uri", ["foo://bar", "htp://127.0.0.1:5000"])
def test_an_address_that_mlflow_does_not_know_is_refused_before_anything_starts(uri, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(ConfigError, match=f"tracking.uri={uri}: MLflow knows no "):
        store.resolve(uri)


@pytest.mark.parametrize("uri", ["http://127.0.0.1:5000", "mysql+pymysql://host/db", "databricks", "postgresql://h/d"])
def test_an_address_that_it_knows_is_taken(uri, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert store.resolve(uri) == uri

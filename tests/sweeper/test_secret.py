"""Passwords in addresses: cut from texts, and gone from all that a sweep leaves and says."""

import subprocess
import sys
from pathlib import Path

import pytest

from sweeper.errors import ConfigError
from sweeper.secret import hide, without_credentials

APP = Path(__file__).resolve().parents[1] / "light" / "app.py"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("http://host:5000", "http://host:5000"),
        ("http://me:secret@host:5000/a", "http://***@host:5000/a"),
        ("https://token@host", "https://***@host"),
        ("http://:secret@host", "http://***@host"),
        ("postgresql://me:p@ss@db/mlflow", "postgresql://***@db/mlflow"),
        ("postgresql+psycopg2://me:a%40b%2Fc@db/mlflow", "postgresql+psycopg2://***@db/mlflow"),
        ("mysql://me:p@ss/w@rd@db/study", "mysql://***@db/study"),
        ("mysql://me:12/3@db/study", "mysql://***@db/study"),
        ("http://me:it's@host", "http://***@host"),
        ("see http://a:b@c and http://d:e@f", "see http://***@c and http://***@f"),
        ("http://host/a,http://u:p@h", "http://host/a,http://***@h"),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
        ("http://host:80/a@b", "http://host:80/a@b"),
        ("mysql://db/study?user=me&password=secret&ssl=1", "mysql://db/study?user=me&password=***&ssl=1"),
        ("http://host/?API_KEY=abc#access_token=def", "http://host/?API_KEY=***#access_token=***"),
        ("mssql+pyodbc:///?odbc_connect=PWD%3Dsecret", "mssql+pyodbc:///?odbc_connect=***"),
        ('{"a":"http://host:1","b":"x@y"}', '{"a":"http://host:1","b":"x@y"}'),
        ("mail me@host about token=abc", "mail me@host about token=abc"),
    ],
)
def test_credentials_are_cut_from_addresses_and_nothing_else_is(text, safe):
    assert without_credentials(text) == safe
    assert without_credentials(safe) == safe


def test_they_are_cut_from_texts_inside_of_values():
    assert hide({"a": ["http://me:b@c", 1], "d": ("http://e@f",)}) == {"a": ["http://***@c", 1], "d": ("http://***@f",)}


def test_errors_do_not_tell_them():
    assert str(ConfigError("storage=mysql://me:secret@db/study is away")) == "storage=mysql://***@db/study is away"


def sweep(*arguments):
    """What a sweep of the light task printed, in the present folder."""
    command = [sys.executable, str(APP), "-m", "x=interval(-1, 1)", "hydra.sweeper.n_trials=2", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


def test_a_sweep_leaves_and_says_no_password(tmp_path, monkeypatch):
    """Of a server that is away, of a database with a password in its query, and of a trial's error message."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:s3cr3t-one@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    code, output = sweep(
        "+tracking.uri='http://me:s3cr3t%40two@127.0.0.1:9'",
        "hydra.sweeper.storage='sqlite:///study.db?token=s3cr3t-three'",
        "+note='http://me:s3cr3t/four@host'",
    )
    assert code == 0, output
    assert "MLflow at http://***@127.0.0.1:9" in output
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"trials.jsonl", "leaderboard.csv", "overrides.yaml", "hydra.yaml"}
    assert "***@127.0.0.1:9" in Path("sweep/0/.hydra/overrides.yaml").read_text()
    assert not [str(path) for path in files if b"s3cr3t" in path.read_bytes() or "s3cr3t" in path.name]
    assert "s3cr3t" not in output


def test_a_database_that_cannot_be_reached_is_named_without_its_password(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, output = sweep("hydra.sweeper.storage='mysql://me:s3cr3t@127.0.0.1:9/study'")
    assert code == 2
    assert "hydra.sweeper.storage=mysql://***@127.0.0.1:9/study" in output
    assert "s3cr3t" not in output
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"s3cr3t" in path.read_bytes()]


def test_a_recorded_command_says_where_the_password_belongs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, output = sweep("hydra.sweeper.storage='mysql://***@127.0.0.1:9/study'")
    assert code == 2
    assert "put user and password in the place of ***" in output

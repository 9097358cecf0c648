import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sweeper.config import command


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """An empty git repository as the working folder, and a function that runs git in it."""
    monkeypatch.chdir(tmp_path)
    for key in [key for key in os.environ if key.startswith("GIT_")]:
        monkeypatch.delenv(key)

    def git(*arguments):
        identity = ["-c", "user.name=me", "-c", "user.email=me@localhost"]
        return subprocess.run(["git", *identity, *arguments], check=True, capture_output=True, text=True).stdout.strip()

    git("init")
    return git


def test_the_commit_is_none_outside_of_a_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command.git_commit() is None


def test_the_commit_says_whether_files_differ_from_it(repository):
    Path("a").write_text("1")
    repository("add", "a")
    repository("commit", "-m", "one")
    head = repository("rev-parse", "HEAD")
    assert command.git_commit() == head
    Path("b").write_text("not tracked")
    assert command.git_commit() == head
    Path("a").write_text("2")
    assert command.git_commit() == f"{head}+changes"


def test_the_training_command_survives_the_shell_and_keeps_where_the_config_is(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "-m", "--config-dir", "my conf", "-cn=mine", "x=1,2"])
    overrides = ["model=custom", "name='it\\'s'", "x=1"]
    words = shlex.split(command.training(overrides))
    assert words[-6:] == ["--config-dir", "my conf", "-cn=mine", *overrides]


def test_the_typed_command_begins_with_the_module_that_runs(tmp_path):
    (tmp_path / "shown").mkdir()
    (tmp_path / "shown" / "__main__.py").write_text("from sweeper.config import command\nprint(command.typed())\n")
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).resolve().parents[3]}"}
    done = subprocess.run(
        [sys.executable, "-m", "shown", "a b"], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "python -m shown 'a b'\n"


@pytest.mark.parametrize(
    ("line", "overrides", "ours", "folder"),
    [
        ("python -m sweeper model=custom 'name=a b'", ["model=custom", "name=a b"], True, None),
        ("sweeper model=custom", ["model=custom"], True, None),
        ("python -m sweeper", [], True, None),
        ("python app.py -cd conf x=1", ["x=1"], False, None),
        ("python -m mine x=1", ["x=1"], False, None),
        ("python -m sweeper --config-dir conf x=1", ["x=1"], True, "conf"),
        ("python -m sweeper -cd=conf x=1", ["x=1"], True, "conf"),
        ("python -m sweeper -cd conf -cn mine x=1", ["x=1"], False, None),
        ("python -m sweeper 'hydra.searchpath=[a]' x=1", ["x=1"], False, None),
        ("python -m sweeper 'x=1", ["'x=1"], True, None),
    ],
)
def test_a_recorded_command_tells_its_overrides_and_whose_it_is(line, overrides, ours, folder):
    assert command.overrides(line) == overrides
    assert command.ours(line) == (command.Ours(folder, overrides) if ours else None)


def test_the_command_that_goes_on_has_its_settings_once():
    line = "python app.py -m x=1,2 hydra.sweeper.n_trials=9 hydra.sweeper.n_jobs=1 hydra.sweep.dir=here"
    words = shlex.split(command.going_on(line, "hydra.sweeper.resume=here", "hydra.sweeper.n_trials=0"))
    assert words[2:] == [
        "-m",
        "x=1,2",
        "hydra.sweeper.n_jobs=1",
        "hydra.sweeper.resume=here",
        "hydra.sweeper.n_trials=0",
    ]


def test_the_resuming_command_names_the_sweep_once_and_no_password():
    typed = "python -m sweeper -m x=1,2 hydra.sweeper.storage=mysql://me:secret@db/study hydra.sweep.dir=here"
    words = shlex.split(command.resuming(f"{typed} hydra.sweeper.resume=latest", "monday"))
    assert words[:3] == ["python", "-m", "sweeper"]
    assert words[3:] == ["-m", "x=1,2", "hydra.sweeper.storage=mysql://***@db/study", "hydra.sweeper.resume=monday"]


def test_what_was_enqueued_is_in_the_study_and_not_in_the_resuming_command():
    typed = "python -m sweeper -m x=1,2 'hydra.sweeper.enqueue=[{x: 1}]'"
    assert shlex.split(command.resuming(typed, "monday"))[3:] == ["-m", "x=1,2", "hydra.sweeper.resume=monday"]


def test_a_single_training_goes_on_by_its_folder():
    typed = "python -m sweeper 'model.name=my net' hydra.run.dir=outputs/there"
    words = shlex.split(command.resuming(typed, "outputs/monday", "hydra.run.dir"))
    assert words == ["python", "-m", "sweeper", "model.name=my net", "hydra.run.dir=outputs/monday"]


def test_a_command_that_no_shell_would_take_is_repeated_as_it_is():
    assert shlex.split(command.resuming("train it's", "monday"))[-1] == "hydra.sweeper.resume=monday"

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from sweeper.commands import ui
from sweeper.errors import ConfigError
from sweeper.tracking.pages import PagesLost

from .. import ports
from ..terminal import CTRL_C
from ..watched import PATIENCE, X, lives, until


def run(*arguments):
    parser = argparse.ArgumentParser()
    ui.add_arguments(parser)
    return ui.run(parser.parse_args(arguments))


@pytest.fixture
def port():
    return ports.free()


@pytest.mark.slow
def test_the_pages_show_the_sweep_from_any_folder_and_on_loopback_only(sweep, port, tmp_path, monkeypatch):
    sweep(X, "hydra.sweeper.n_trials=2")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [sys.executable, "-m", "sweeper", "ui", "--sweep", str(tmp_path / "sweep"), "--port", str(port)]
    server = subprocess.Popen(command, cwd=elsewhere, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        until(lambda: answers(port))
        body = urllib.request.urlopen(f"http://127.0.0.1:{port}/ajax-api/2.0/mlflow/experiments/search?max_results=5")
        assert b'"app"' in body.read(), "the experiment is named by the job"
        listening = subprocess.run(["cat", "/proc/net/tcp"], capture_output=True, text=True).stdout
        bound = [line.split()[1] for line in listening.splitlines()[1:] if line.split()[1].endswith(f":{port:04X}")]
        assert {address.partition(":")[0] for address in bound} == {"0100007F"}
        assert not list(elsewhere.iterdir())
    finally:
        os.killpg(server.pid, signal.SIGINT)  # as Ctrl-C does
        server.wait(PATIENCE)


@pytest.mark.slow
def test_a_ctrl_c_ends_the_pages_quietly_and_leaves_no_process(project, port, terminal):
    pages = terminal("ui", "--port", str(port))
    pages.until(f"http://127.0.0.1:{port} shows sqlite:///")
    assert answers(port), "the address is told once it answers"
    servers = psutil.Process(pages.process.pid).children(recursive=True)
    assert 0 < len(servers) < 5, "MLflow has started processes for jobs that nobody gives it"
    pages.press(CTRL_C)
    assert pages.wait() == 0
    assert pages.said.rpartition("until Ctrl-C")[2].strip() in ("", "^C")
    assert not any(lives(server) for server in servers)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_they_answer_leaves_no_process_either(project, port, number):
    pages = subprocess.Popen([sys.executable, "-m", "sweeper", "ui", "--port", str(port)])
    until(lambda: psutil.Process(pages.pid).children())
    (server,) = psutil.Process(pages.pid).children()
    pages.send_signal(number)
    assert pages.wait(PATIENCE) == 0
    assert not lives(server)


@pytest.mark.slow
def test_a_server_that_ends_by_itself_tells_why(project, port, capfd):
    Path("mlflow.db").write_text("no database")
    with pytest.raises(PagesLost) as lost:
        run("--port", str(port))
    assert "file is not a database" in str(lost.value)
    (log,) = re.findall(r"is in (\S+)", str(lost.value))
    assert "file is not a database" in Path(log).read_text()
    shutil.rmtree(Path(log).parent)


def answers(port):
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1).status == 200
    except OSError:
        return False


def test_where_nothing_was_recorded_it_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"mlflow\.db does not exist"):
        run()


def test_of_a_server_it_says_the_address_without_the_password(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:5000")
    assert run() == 0
    assert capsys.readouterr().out == "MLflow's pages are at http://***@127.0.0.1:5000\n"


@pytest.mark.parametrize("wanted", ["0x", "99999"])
def test_a_port_that_is_none_is_refused(project, wanted):
    with pytest.raises((ConfigError, SystemExit)):
        run("--port", wanted)


def test_a_port_that_is_taken_is_refused(project):
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(ConfigError, match="Give another"):
        run("--port", str(server.getsockname()[1]))

"""MLflow servers that die, never come or never answer, and processes killed at any moment: each attempt has one run."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from sweeper.commands.replay import replay
from sweeper.records import journal, record
from sweeper.records.events import EpochReported, SweepEnded, SweepStarted, TrialEnded, TrialStarted, TrialTested
from sweeper.tracking import store
from sweeper.tracking.ledger import Ledger
from sweeper.tracking.mirror import Mirror
from sweeper.tracking.run_store import RunStore
from sweeper.tracking.runs import Runs

from .. import ports

EXPERIMENT = "hills"
LIGHT = Path(__file__).resolve().parents[2] / "light" / "app.py"
SWEEP = [sys.executable, str(LIGHT), "-m", "x=interval(-1, 1)", "hydra/sweeper/pruner=none"]
REPLAY = [sys.executable, "-m", "sweeper", "replay", "sweep"]
ROUNDS = 8
T0 = 1_700_000_000.0  # seconds since 1970


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """An empty database of MLflow; its migrations take longer than a test."""
    path = tmp_path_factory.mktemp("database") / "mlflow.db"
    store.connect(f"sqlite:///{path}", EXPERIMENT)
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of a sweep, in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    Path("sweep").mkdir()
    return Path("sweep")


@pytest.fixture
def uri(folder, database):
    """Of a database beside the sweep."""
    shutil.copy(database, "mlflow.db")
    return store.resolve(None)


class Server:
    """A real one, on a port of its own that it keeps when it starts again."""

    def __init__(self, folder):
        self._folder, self._process = folder, None
        self._port = ports.free()
        self.uri = f"http://127.0.0.1:{self._port}"

    def start(self):
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self._port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self._folder}/mlflow.db"]
        command += ["--artifacts-destination", str(self._folder / "kept")]
        with open(self._folder / "server.log", "a") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def wait(self):
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            assert self._process.poll() is None, "the server has ended"
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=5).close()
                return
            except OSError:
                time.sleep(0.2)
        pytest.fail("the server did not come up within 300 seconds")

    def kill(self):
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@pytest.fixture(scope="module")
def server(database, tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(database, folder)
    server = Server(folder)
    server.start()
    server.wait()
    yield server
    server.kill()


def stored(uri, experiment=EXPERIMENT):
    """All that MLflow has: by ID each run's trial and attempt, status, state, end and the history of every metric."""
    client, experiment_id = store.connect(uri, experiment)
    return {
        run.info.run_id: (
            (run.data.tags.get("sweeper.trial"), run.data.tags.get("sweeper.attempt")),
            (run.info.status, run.data.tags["sweeper.state"], run.info.end_time),
            run.data.params,
            {name: _history(client, run, name) for name in run.data.metrics},
        )
        for run in client.search_runs([experiment_id])
    }


def _history(client, run, name):
    points = client.get_metric_history(run.info.run_id, name)
    return sorted((point.step, point.value, point.timestamp) for point in points)


def alike(runs):
    """What is left when the IDs are not looked at. A double would be one more."""
    return sorted(map(repr, runs.values()))


def attempts(runs):
    return Counter(key for key, *_ in runs.values())


def started(trial, attempt=0, time=1.0):
    return TrialStarted(trial, attempt, {"x": 0.5}, f"app.py x=0.{trial}", str(trial), T0 + time)


def epochs(trial, count, time=2.0):
    return [EpochReported(trial, n, n / 10, {"height": n / 10}, T0 + time + n) for n in range(1, count + 1)]


def ended(trial, state="FINISHED", values=(0.5,), time=20.0, reason=None):
    return TrialEnded(trial, state, values, reason, {"parameters": 7}, T0 + time)


def sweep_started(time=0.0):
    return SweepStarted("sweep", "app.py -m", "height", ("maximize",), 8, None, T0 + time)


def killed_session():
    """One that ended as it should, one after a crash, two that run when the coordinator is killed."""
    return [
        sweep_started(),
        *(started(0), *epochs(0, 3), ended(0, values=(0.3,)), TrialTested(0, {"test_accuracy": 0.4}, 10, T0 + 21)),
        *(started(1), ended(1, "CRASHED", None, reason="its process was lost"), started(1, attempt=1)),
        *(*epochs(1, 2), started(2), *epochs(2, 1)),
    ]


def second_session(end="FINISHED"):
    return [
        sweep_started(30),
        *(ended(1, "INTERRUPTED", None, 31), ended(2, "INTERRUPTED", None, 31)),
        *(started(1, 2, 32), *epochs(1, 4, 33), ended(1, values=(0.4,), time=40)),
        *(started(2, 1, 32), *epochs(2, 4, 33), ended(2, values=(0.6,), time=41)),
        SweepEnded(end, None, 2, T0 + 50),
    ]


def write_journal(folder, events):
    """Returns how long the journal was before, in bytes."""
    file = journal.Journal(folder)
    before = (folder / journal.NAME).stat().st_size
    for event in events:
        file.write(event)
    file.close()
    return before


def mirrored(folder, uri, events, backlog=0):
    mirror = Mirror(folder, experiment=EXPERIMENT, uri=uri, backlog=backlog)
    for event in events:
        mirror.write(event)
    assert mirror.close(60) is None


def states(runs):
    return {key: state for key, (_, state, _), *_ in runs.values()}


GONE_ON = {
    (None, None): "FINISHED",
    ("0", "0"): "FINISHED",
    ("1", "0"): "CRASHED",
    ("1", "1"): "INTERRUPTED",
    ("1", "2"): "FINISHED",
    ("2", "0"): "INTERRUPTED",
    ("2", "1"): "FINISHED",
}


@pytest.mark.parametrize("sent", range(0, 16, 3))
def test_a_sweep_that_goes_on_after_a_kill_has_one_run_an_attempt_whatever_mlflow_had_got(folder, uri, sent):
    write_journal(folder, killed_session())
    lost = Runs(RunStore(*store.connect(uri, EXPERIMENT), Ledger(folder)), folder)
    for event in killed_session()[:sent]:
        lost.write(event)  # and no more: killed
    before = write_journal(folder, second_session())
    mirrored(folder, uri, second_session(), backlog=before)
    runs = stored(uri)
    assert states(runs) == GONE_ON
    assert set(attempts(runs).values()) == {1}
    assert {status for _, (status, *_), *_ in runs.values()} == {"FINISHED", "FAILED", "KILLED"}
    metrics = {key: history for key, _, _, history in runs.values()}
    assert [value for _, value, _ in metrics["2", "1"]["height"]] == [0.1, 0.2, 0.3, 0.4]
    assert [value for _, value, _ in metrics["2", "0"]["height"]] == [0.1]
    assert metrics["0", "0"]["test_accuracy"] == [(0, 0.4, (T0 + 21) * 1000)]


class Killed(BaseException):
    """What no `except Exception` sees, like the end of a process."""


class Dying:
    """A client of MLflow whose process is killed just after its n-th write, before anybody hears of it."""

    WRITES = ("create_run", "log_batch", "set_terminated", "update_run", "log_text", "log_artifacts")

    def __init__(self, client, writes):
        self._client, self._left = client, writes

    def __getattr__(self, name):
        call = getattr(self._client, name)
        return call if name not in self.WRITES else lambda *args, **keys: self._write(call, *args, **keys)

    def _write(self, call, *args, **keys):
        answer = call(*args, **keys)
        self._left -= 1
        if self._left == 0:
            raise Killed
        return answer


def test_a_process_killed_after_any_of_its_writes_leaves_no_run_lost_doubled_or_running(folder, uri, database):
    events = [*killed_session()[:6], SweepEnded("FINISHED", None, 0, T0 + 50)]
    write_journal(folder, events)
    replay(folder, experiment=EXPERIMENT, uri=uri)
    undisturbed = alike(stored(uri))
    writes, killed = 0, True
    while killed:
        writes += 1
        shutil.copy(database, f"{writes}.db")
        uri = store.absolute(f"sqlite:///{writes}.db")
        (folder / record.RUNS).unlink()
        client, experiment_id = store.connect(uri, EXPERIMENT)
        runs = Runs(RunStore(Dying(client, writes), experiment_id, Ledger(folder)), folder)
        try:
            for event in events:
                runs.write(event)
        except Killed:
            replay(folder, experiment=EXPERIMENT, uri=uri)
        else:
            killed = False
        assert alike(stored(uri)) == undisturbed, f"killed after write {writes}"
    assert writes > 8


def test_a_replay_of_a_killed_sweep_ends_it_and_what_ran_as_interrupted_and_a_second_one_adds_nothing(folder, uri):
    write_journal(folder, killed_session())
    first = replay(folder, experiment=EXPERIMENT, uri=uri)
    assert (first.runs, first.created, first.completed) == (5, 5, 0)
    runs = stored(uri)
    interrupted = {key for key, state in states(runs).items() if state == "INTERRUPTED"}
    assert interrupted == {(None, None), ("1", "1"), ("2", "0")}
    second = replay(folder, experiment=EXPERIMENT, uri=uri)
    assert (second.runs, second.created, second.completed) == (5, 0, 0)
    assert stored(uri) == runs


def test_a_sweep_goes_on_after_its_killed_session_was_replayed(folder, uri):
    write_journal(folder, killed_session())
    replay(folder, experiment=EXPERIMENT, uri=uri)
    before = write_journal(folder, second_session())
    mirrored(folder, uri, second_session(), backlog=before)
    runs = stored(uri)
    assert states(runs) == GONE_ON
    assert set(attempts(runs).values()) == {1}
    replayed = replay(folder, experiment=EXPERIMENT, uri=uri)
    assert (replayed.created, replayed.completed) == (0, 0)


def test_the_end_of_an_earlier_session_is_not_the_end_of_the_sweep(folder, uri):
    first = [*killed_session(), SweepEnded("INTERRUPTED", "the user stopped it", 0, T0 + 25)]
    write_journal(folder, first)
    mirrored(folder, uri, first[:-1])  # MLflow was away at the end
    before = write_journal(folder, second_session()[:4])
    mirrored(folder, uri, second_session()[:4], backlog=before)
    (sweep,) = (state for key, state, *_ in stored(uri).values() if key == (None, None))
    assert sweep == ("RUNNING", "RUNNING", None)


def test_a_session_killed_before_its_first_event_leaves_the_end_of_the_one_before(folder, uri):
    events = [*killed_session(), *second_session()]
    write_journal(folder, events)
    replay(folder, experiment=EXPERIMENT, uri=uri)
    ended = stored(uri)
    lost = Runs(RunStore(*store.connect(uri, EXPERIMENT), Ledger(folder)), folder)
    lost.write(events[0])  # the sweep goes on in MLflow, but its journal knows nothing of it
    replay(folder, experiment=EXPERIMENT, uri=uri)
    assert stored(uri) == ended


def test_another_store_gets_the_whole_sweep_and_the_first_one_no_more(folder, uri, database):
    write_journal(folder, [*killed_session(), *second_session()])
    replay(folder, experiment=EXPERIMENT, uri=uri)
    shutil.copy(database, "other.db")
    other = store.absolute("sqlite:///other.db")
    replay(folder, experiment=EXPERIMENT, uri=other)
    before = stored(uri)
    assert alike(stored(other)) == alike(before)
    assert replay(folder, experiment=EXPERIMENT, uri=uri).created == 0
    assert alike(stored(uri)) == alike(before)
    assert set(stored(uri)) == set(before)


def test_a_new_sweep_in_the_folder_of_a_deleted_one_gets_a_run_of_its_own(folder, uri):
    write_journal(folder, killed_session())
    replay(folder, experiment=EXPERIMENT, uri=uri)
    shutil.rmtree(folder)
    write_journal(folder, [sweep_started(100)])
    replay(folder, experiment=EXPERIMENT, uri=uri)
    assert attempts(stored(uri))[None, None] == 2


class Cut:
    """A client of MLflow whose connection is cut when the n-th run has been made, before the answer is there."""

    def __init__(self, client, runs):
        self._client, self._left = client, runs

    def __getattr__(self, name):
        return getattr(self._client, name)

    def create_run(self, *arguments):
        run = self._client.create_run(*arguments)
        self._left -= 1
        if self._left == 0:
            raise ConnectionError("cut")
        return run


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_run_whose_answer_was_lost_is_found_again(folder, uri, number):
    client, experiment_id = store.connect(uri, EXPERIMENT)
    runs = Runs(RunStore(Cut(client, number), experiment_id, Ledger(folder)), folder)
    for event in [sweep_started(), started(0), *epochs(0, 1), ended(0), started(1), ended(1)]:
        try:
            runs.write(event)
        except ConnectionError:
            runs.write(event)
    assert attempts(stored(uri)) == {(None, None): 1, ("0", "0"): 1, ("1", "0"): 1}


def test_a_run_that_mlflow_made_twice_is_deleted_with_the_end_of_the_sweep(folder, uri):
    client, experiment_id = store.connect(uri, EXPERIMENT)
    runs = Runs(RunStore(client, experiment_id, Ledger(folder)), folder)
    runs.write(sweep_started())
    runs.write(started(0))
    twin = client.get_run(Ledger(folder).get(0, 0))
    client.create_run(experiment_id, twin.info.start_time, twin.data.tags)  # the answer to an earlier request was lost
    runs.write(ended(0))
    runs.write(SweepEnded("FINISHED", None, None, T0 + 50))
    assert attempts(stored(uri)) == {(None, None): 1, ("0", "0"): 1}
    assert states(stored(uri))["0", "0"] == "FINISHED"


def test_a_torn_last_line_of_the_ledger_is_cut(folder):
    Ledger(folder).add(None, 0, "f" * 32)
    with open(folder / record.RUNS, "a") as file:
        file.write('{"trial": 0, "att')
    Ledger(folder).add(0, 0, "a" * 32)
    assert Ledger(folder).get(0, 0) == "a" * 32
    assert record.run_ids(folder) == {None: "f" * 32, 0: "a" * 32}


def test_ten_thousand_mirrored_trials_do_not_delay_a_sweep_that_goes_on(folder, uri):
    """By what MLflow is asked and told, not by the clock: a few calls in all."""
    old = [event for n in range(10_000) for event in (started(n), *epochs(n, 2), ended(n))]
    path = folder / journal.NAME
    write_journal(folder, [sweep_started(), *old[:4]])
    mirrored(folder, uri, [sweep_started(), *old[:4]])
    head, *lines = path.read_text().splitlines(keepends=True)
    run_id = Ledger(folder).get(0, 0)
    with open(path, "w") as file, open(folder / record.RUNS, "a") as ledger:
        file.write(head)
        for n in range(10_000):
            file.writelines(line.replace('"trial":0,', f'"trial":{n},') for line in lines)
            ledger.write(f'{{"trial": {n}, "attempt": 0, "run_id": "{run_id}", "mirrored": {T0 + 20}}}\n')
    calls = []

    class Counting:
        def __init__(self, client):
            self._client = client

        def __getattr__(self, name):
            calls.append(name)
            return getattr(self._client, name)

    client, experiment_id = store.connect(uri, EXPERIMENT)
    runs = Runs(RunStore(Counting(client), experiment_id, Ledger(folder)), folder)
    for event in journal.read(folder, epochs=runs.lacks_epochs, until=path.stat().st_size):
        assert not isinstance(event, EpochReported)
        runs.write(event)
    assert len(calls) < 10


def run(command, *arguments, timeout=300):
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=timeout)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_a_server_that_was_never_there_gets_it_all_from_one_replay_and_nothing_from_a_second(folder, server):
    away = ["+tracking.uri=http://127.0.0.1:9", "+tracking.experiment=never"]
    code, output = run(SWEEP, *away, "hydra.sweeper.n_trials=6")
    assert code == 0, output
    assert "python -m sweeper replay" in output
    code, output = run(REPLAY)
    assert code == 2
    assert "MLflow at http://127.0.0.1:9 cannot be reached" in output
    assert "Traceback" not in output
    code, output = run(REPLAY, "--uri", server.uri)
    assert code == 0, output
    assert f"7 runs in MLflow at {server.uri}, 7 of them new" in output
    runs = stored(server.uri, "never")
    assert set(states(runs).values()) == {"FINISHED"}
    assert {len(history["height"]) for key, *_, history in runs.values() if key != (None, None)} == {3}
    code, output = run(REPLAY, "--uri", server.uri)
    assert "nothing was added" in output
    assert stored(server.uri, "never") == runs


@pytest.mark.slow
def test_a_server_killed_in_the_middle_and_started_again_has_every_run_once(folder, server):
    there = [f"+tracking.uri={server.uri}", "+tracking.experiment=outage", f"gate={folder.absolute()}/gate"]
    process = subprocess.Popen([*SWEEP, *there, "hydra.sweeper.n_trials=30", "pause=0.2"], stderr=subprocess.PIPE)
    gate = folder / "gate"
    gate.touch()
    try:
        until_trials(4)
        server.kill()
        until_trials(12)  # the sweep goes on
        gate.unlink()  # and does not end before the server is there again
        server.start()
        server.wait()
        gate.touch()
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    finally:
        process.kill()
    assert b"lacks a part" not in errors
    runs = stored(server.uri, "outage")
    assert len(runs) == 31
    assert set(attempts(runs).values()) == {1}
    assert set(states(runs).values()) == {"FINISHED"}
    assert {len(history["height"]) for key, *_, history in runs.values() if key != (None, None)} == {3}


def until_trials(count):
    path, deadline = Path("sweep", journal.NAME), time.monotonic() + 300
    while not path.exists() or path.read_text().count('"TrialEnded"') < count:
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


SILENT = """
import sys, time
from pathlib import Path
from sweeper.records.events import SweepStarted
from sweeper.tracking.mirror import Mirror
mirror = Mirror(Path("sweep"), experiment="e", uri=sys.argv[1], system_metrics=True)
mirror.write(SweepStarted("sweep", "app.py", "height", ("maximize",), 8, None, 1.0))
time.sleep(4)
print(mirror.close(1))
"""


def test_a_process_ends_though_its_mlflow_server_never_answers(folder):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        code, output = run([sys.executable, "-c", SILENT], uri, timeout=110)  # MLflow itself would wait 120 s
    assert code == 0
    assert "it was not done after 1 seconds" in output


FEED = """
import sys
from pathlib import Path
from sweeper.records import journal
from sweeper.tracking import store
from sweeper.tracking.mirror import Mirror
folder = Path("sweep")
store.connect(sys.argv[1], "hills")  # takes seconds, and nothing happens meanwhile
mirror = Mirror(folder, experiment="hills", uri=sys.argv[1], backlog=int(sys.argv[2]))
print("up", flush=True)
for event in journal.read(folder):
    mirror.write(event)
mirror.close(60)
"""


@pytest.mark.slow
def test_processes_killed_at_random_moments_leave_no_run_lost_doubled_or_running(folder, uri, database):
    events = [*killed_session(), *second_session()]
    write_journal(folder, events)
    replay(folder, experiment=EXPERIMENT, uri=uri)
    undisturbed = alike(stored(uri))
    moments, size, half_way = random.Random(0), (folder / journal.NAME).stat().st_size, 0

    def feed(uri, backlog, seconds):
        """How long it took from its first write on; killed after so many seconds."""
        with subprocess.Popen([sys.executable, "-c", FEED, uri, str(backlog)], stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            begun = time.monotonic()
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            process.kill()
        return time.monotonic() - begun

    def fresh(name):
        """Never the file of before, of which a killed process may have left a journal."""
        shutil.copy(database, name)
        (folder / record.RUNS).unlink(missing_ok=True)
        return store.absolute(f"sqlite:///{name}")

    longest = feed(fresh("undisturbed.db"), 0, 60)
    for number in range(ROUNDS):
        uri = fresh(f"{number}.db")
        feed(uri, 0, longest * moments.uniform(number, number + 1) / ROUNDS)
        half_way += 0 < len(Ledger(folder)) < len(GONE_ON)
        feed(uri, size, moments.uniform(0, longest))  # mends what the first one left, and is killed too
        replay(folder, experiment=EXPERIMENT, uri=uri)
        assert alike(stored(uri)) == undisturbed
    assert half_way  # else nothing was seen

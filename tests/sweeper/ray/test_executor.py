"""What only a cluster can do: lose nodes, gain some, lie on machines that have nothing of ours.

What every executor does the same is in test_failures.py, test_resume.py and ../sweep/test_sweep.py.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from sweeper.records.events import EpochReported, TrialEnded, TrialStarted
from sweeper.training import checkpoint

from .. import ports
from ..watched import (
    GATED,
    PATIENCE,
    X,
    below,
    events,
    let_through,
    lives,
    on_cluster,
    slots,
    study,
    told,
    trials,
    until,
)

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: python -m pip install 'sweeper[ray]'")

SLOT, RAYLET = "spawn_main", "raylet/raylet "  # what their commands have
PLAIN = (X, "hydra/sweeper/pruner=none")


@pytest.fixture
def another(nodes):
    """Adds a node and gives its raylet; gone afterwards."""
    added = []

    def add(**resources):
        added.append(nodes.add_node(**resources))
        return psutil.Process(added[-1].all_processes["raylet"][0].process.pid)

    yield add
    for node in added:
        nodes.remove_node(node, allow_graceful=False)


def kill_all(process):
    """With kill -9, as a machine dies that loses its power."""
    for one in (process, *below(process, "")):
        with suppress(psutil.NoSuchProcess):
            one.kill()


def started():
    """How many trials have been."""
    return sum(isinstance(event, TrialStarted) for event in events())


def assert_each_is_told_once(n_trials):
    assert [trial.number for trial in trials()] == list(range(n_trials))
    assert {trial.state for trial in trials()} == {"FINISHED"}
    assert [trial.state.name for trial in study().trials] == ["COMPLETE"] * n_trials
    finished = [event.trial for event in events() if isinstance(event, TrialEnded) and event.state == "FINISHED"]
    assert sorted(finished) == list(range(n_trials))


def test_a_node_killed_in_the_middle_loses_no_trial_and_uses_up_no_retry(start, nodes, another):
    few = ("hydra.sweeper.n_trials=12", "hydra.sweeper.n_jobs=4", "hydra.sweeper.max_retries=0")
    raylet = another(num_cpus=2)
    process = start(*on_cluster(nodes), *PLAIN, GATED, *few)
    until(lambda: started() == 4)  # two of them on that node: the other one has two CPUs
    assert below(raylet, SLOT)
    kill_all(raylet)
    let_through(*range(12))
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err
    assert_each_is_told_once(12)
    crashed = [event for event in events() if isinstance(event, TrialEnded) and event.state == "CRASHED"]
    assert len(crashed) == 2
    assert all("its node " in event.reason or "its actor was lost" in event.reason for event in crashed)
    assert "raylet" not in out + err, "what Ray prints about it by itself"


@pytest.mark.slow
def test_a_node_that_joins_gets_trials_and_one_that_leaves_costs_none(start, nodes, another):
    process = start(*on_cluster(nodes), *PLAIN, GATED, "hydra.sweeper.n_jobs=null", "hydra.sweeper.n_trials=12")
    until(lambda: started() == 2)
    assert len(slots(process)) == 2
    raylet = another(num_cpus=1)
    until(lambda: started() == 3)
    assert below(raylet, SLOT)
    kill_all(raylet)
    let_through(*range(12))
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err
    assert_each_is_told_once(12)


def left_by(process):
    """What a sweep has begun, on a cluster of its own. Not two agents of Ray's, which after a kill -9 look for what has
    ended with it for a minute more.
    """
    return [one for one in below(psutil.Process(process.pid), "") if "Agent" not in told(one)]


OWN = "hydra/sweeper/executor=ray"


def test_a_cluster_of_this_machine_ends_with_a_killed_coordinator(start):
    process = start(OWN, X, GATED)
    until(started)
    left = left_by(process)
    assert [one for one in left if RAYLET in told(one)]
    assert [one for one in left if SLOT in told(one)]
    process.kill()
    until(lambda: not any(lives(one) for one in left))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_cluster_of_this_machine_ends_with_an_interrupted_sweep(start, number):
    process = start(OWN, X, "pause=0.3", "hydra.sweeper.n_trials=100")
    until(lambda: any(isinstance(event, TrialEnded) for event in events()))
    left = left_by(process)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, out + err
    assert "raylet" not in out + err
    until(lambda: not any(lives(one) for one in left))


def test_a_cluster_of_this_machine_listens_on_loopback_only(start):
    process = start(OWN, X, GATED)
    until(started)
    listens = set()
    for one in left_by(process):
        with suppress(psutil.NoSuchProcess):
            listens |= {at.laddr.ip for at in one.net_connections("tcp") if at.status == psutil.CONN_LISTEN}
    assert listens
    assert all(ip.removeprefix("::ffff:") in ("127.0.0.1", "::1") for ip in listens), listens


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("address=127.0.0.1:1", "hydra.sweeper.executor.address=127.0.0.1:1: nothing answers there"),
        ("address=somewhere", "hydra.sweeper.executor.address=somewhere: give host:port"),
        ("cpus=0", "hydra.sweeper.executor.cpus=0: give a number above 0"),
        ("memory=much", "hydra.sweeper.executor.memory=much: give a number above 0"),
    ],
)
def test_a_bad_setting_ends_with_one_sentence_and_no_sweep(sweep, setting, complaint):
    code, output = sweep(OWN, X, f"hydra.sweeper.executor.{setting}")
    assert code == 2
    assert complaint in output
    assert "Traceback" not in output
    assert not Path("sweep").exists()


@pytest.mark.slow
def test_slots_larger_than_this_machine_are_refused(sweep):
    code, output = sweep(OWN, X, "hydra.sweeper.executor.memory=100000")
    assert code == 2, output
    assert "a slot needs cpus=1, memory=100000" in output
    assert "Traceback" not in output


# An executor in a process of its own: a test's may be connected to one cluster only.
ALONE = """
import time
import ray
from ray._private.state import actors
from sweeper.ray import executor as ours
from sweeper.engine.executor import Call, Done, Queued, Ready, TrialJob
from hydra.core.singleton import Singleton
from sweeper.engine.slot import Work

def until(condition):
    found, last = [], time.monotonic() + 120
    while not condition(found):
        assert time.monotonic() < last, found
        found += executor.wait(0.1)
    return found

def heard(kind, count):
    def those(found):
        return [message for message in found if isinstance(message, kind)]
    return those(until(lambda found: len(those(found)) >= count))

def free():
    return ray.available_resources().get("CPU", 0)

def in_wait():
    return sum(actor["State"] in ("DEPENDENCIES_UNREADY", "PENDING_CREATION") for actor in actors().values())

def begun(**keys):
    executor = ours.RayExecutor(address={address!r}, **keys)
    executor.start(Work(None, None, None, Singleton.get_state()).pickled(), "sweep/slots")
    return executor

ours._LOOK = 0.2
"""
RELEASED = """
executor = begun(slots=2)
ready = heard(Ready, 2)
assert len(ready) == 2 and free() == 0, free()
ours._IDLE = 1.0
assert not until(lambda found: free() == 2)
executor.submit(ready[0].slot, Call(print, ("hello",)))
assert [message.slot for message in heard((Done, Ready), 2)] == [ready[0].slot] * 2
assert free() == 2, "a call needs nothing of the cluster"
other = ray.remote(num_cpus=2)(type("Other", (), {"speak": lambda self: None})).remote()
ray.get(other.speak.remote())
executor.submit(ready[1].slot, TrialJob(0, [], "0"))
assert {message.slot for message in heard(Queued, 2)} == {ready[1].slot}, "others have the room, and its time stands"
ray.kill(other)
until(lambda found: free() == 1)  # work brings an actor back
"""
SHRUNK = """
executor = begun(slots=None, most=8, gpus=1)
executor._cluster.room = lambda: 3  # of nodes that have gone by the time that they are asked
until(lambda found: in_wait() == 3)
executor._cluster.room = lambda: 1
until(lambda found: in_wait() == 1)
"""
SPARE = """
ours._IDLE = 1.0
executor = begun(slots=8)
ready = until(lambda found: found and in_wait() == 0)
ready += until(lambda found: free() == 2)
assert len(ready) < 8, "those that nobody wanted were asked for"
for message in ready:
    executor.submit(message.slot, TrialJob(message.slot, [], str(message.slot)))
until(lambda found: in_wait())  # the others as well, for they may be wanted
"""
TOO_LARGE = """
ours._SILENCE = 1.0
executor = begun(slots=1, gpus=1)
last = time.monotonic() + 3
until(lambda found: time.monotonic() > last)
"""


@pytest.fixture
def alone(nodes, tmp_path):
    """Runs a script about an executor on the cluster; what it printed."""

    def run(script):
        code = f"{ALONE.replace('{address!r}', repr(nodes.address))}{script}executor.close()\nprint('closed')"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE
        )
        assert "closed" in done.stdout, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_a_slot_without_work_gives_back_what_it_holds_until_it_has_work(alone, tmp_path):
    alone(RELEASED)
    assert (tmp_path / "sweep/slots/calls.log").read_text() == "hello\n"


def test_a_slot_that_is_given_up_waits_for_room_no_longer(alone):
    alone(SHRUNK)


def test_while_slots_wait_for_work_no_others_wait_for_room(alone):
    alone(SPARE)


def test_slots_that_no_node_can_hold_are_waited_for_but_not_without_a_word(alone):
    output = alone(TOO_LARGE)
    assert output.count("there is no slot on the cluster") == 1
    assert "needs cpus=1, gpus=1, and no node has as much, but at most CPU=2, GPU=0, memory=" in output


@contextmanager
def head(folder, *arguments, **environment):
    """The process of one that is begun by a command, as somebody begins it. With the nodes that its provider adds."""
    log = folder / "head.log"
    begin = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--include-dashboard=false"]
    with open(log, "w") as out:
        process = psutil.Popen([*begin, *arguments], env=os.environ | environment, stdout=out, stderr=subprocess.STDOUT)
    try:
        until(lambda: "started" in log.read_text() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        kill_all(process)


@pytest.fixture
def door(nodes, tmp_path):
    """The port of a cluster for those outside of it."""
    pytest.importorskip("grpc", reason="needs python -m pip install 'ray[client]'")
    port = ports.free()
    with head(tmp_path, "--port=0", "--num-cpus=2", f"--ray-client-server-port={port}") as process:
        until(lambda: _answers(port) or process.poll() is not None)  # it says before that it has started
        yield port


def _answers(port):
    with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        return True


@pytest.mark.slow
def test_a_sweep_outside_of_the_cluster_is_let_in(sweep, door):
    for _ in range(3):  # Ray forks a process for each client while its threads use gRPC, which that may die of
        code, output = sweep(OWN, f"hydra.sweeper.executor.address=ray://127.0.0.1:{door}", *PLAIN)
        if "Initialization failure from server" not in output:
            break
    assert code == 0, output
    assert_each_is_told_once(8)


# As Cluster.add_node begins one, in a process of its own.
NODE = """
import sys, time
from ray._private.node import Node
from ray._private.parameter import RayParams

ports = {"min_worker_port": 0, "max_worker_port": 0, "node_manager_port": 0}
store = {"object_store_memory": 150 * 2**20, "include_log_monitor": False}
Node(RayParams(gcs_address=sys.argv[1], num_cpus=2, num_gpus=0, **ports, **store), head=False, shutdown_at_exit=True)
time.sleep(1000)
"""


@pytest.fixture
def far(nodes, tmp_path):
    """A cluster with one node that trains. It sees an empty folder where that of the test is, as another machine."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    hidden = ["unshare", "--mount", "--propagation", "private", "bash", "-c", 'mount -t tmpfs tmpfs "$0" && exec "$@"']
    own = os.environ | {"SWEEPER_CACHE": str(tmp_path / "cache")}  # there, too
    node = psutil.Popen([*hidden, tmp_path, sys.executable, "-c", NODE, cluster.address], env=own, cwd="/")
    try:
        until(lambda: node.poll() is not None or cluster.global_state.cluster_resources().get("CPU"))
        if node.poll() is not None:
            pytest.skip("only root can give a process another view of the disk")
        yield cluster
    finally:
        kill_all(node)
        cluster.shutdown()


@pytest.mark.slow
def test_a_machine_that_has_none_of_our_files_gives_them_back(sweep, far):
    code, output = sweep(*on_cluster(far), *PLAIN, "hydra.sweeper.n_trials=4")
    assert code == 0, output
    assert_each_is_told_once(4)
    assert all((trial.folder / "app.log").exists() for trial in trials())
    logs = "".join(path.read_text() for path in Path("sweep/slots").iterdir())
    assert logs.count("x=") == 4
    assert not list(Path("sweep/slots").glob(".*")), "the token is gone"


@pytest.mark.slow
def test_data_reach_a_machine_that_has_no_file_of_them(start, far, image_folder):
    real = ("dataset=folder", f"dataset.path={image_folder}", "trainer.epochs=2", "hydra.sweep.dir=sweep")
    few = ("hparams=search", "model.filters=8", "hydra.sweeper.n_trials=3", "tracking.experiment=far")
    process = start(*on_cluster(far), *real, *few, program=("-m", "sweeper"))
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err
    assert {trial.state for trial in trials()} <= {"FINISHED", "PRUNED"}
    best = next(trial for trial in trials() if trial.tested)
    assert best.model.exists()
    assert (best.folder / "pictures").is_dir(), "it was tested here"


GROWING = {  # Ray's own autoscaler, with nodes of this machine instead of a cloud's
    "cluster_name": "growing",
    "max_workers": 2,
    "provider": {
        "type": "fake_multinode",
        "use_node_id_as_ip": True,
        "disable_node_updaters": True,
        "disable_launch_config_check": True,
    },
    "available_node_types": {
        "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
        "worker": {
            "resources": {"CPU": 1, "object_store_memory": 150 * 2**20},
            "node_config": {},
            "min_workers": 0,
            "max_workers": 2,
        },
    },
    "head_node_type": "ray.head.default",
    "auth": {},
    "upscaling_speed": 1.0,
    "idle_timeout_minutes": 0.05,
    "docker": {},
    "file_mounts": {},
    "cluster_synced_files": [],
    "file_mounts_sync_continuously": False,
}
GROWING |= {f"{who}_commands": [] for who in ("initialization", "setup", "head_setup", "worker_setup")}
GROWING |= {f"{who}_start_ray_commands": [] for who in ("head", "worker")}


@pytest.fixture
def growing(nodes, tmp_path):
    """The process of a head that adds nodes when somebody waits, and takes away those that have nothing to do."""
    with socket.socket() as port:
        if port.connect_ex(("127.0.0.1", 6379)) == 0:
            pytest.skip("port 6379, where the nodes of this provider look for their head, is taken")
    (tmp_path / "growing.json").write_text(json.dumps(GROWING))
    config = f"--autoscaling-config={tmp_path / 'growing.json'}"
    quick = {"AUTOSCALER_UPDATE_INTERVAL_S": "1", "RAY_FAKE_CLUSTER": "1"}
    with head(tmp_path, "--port=6379", "--num-cpus=0", config, **quick) as process:
        yield process


@pytest.mark.slow
def test_an_autoscaling_cluster_grows_and_shrinks_under_a_sweep(start, growing):
    address = "hydra.sweeper.executor.address=127.0.0.1:6379"
    few = ("hydra/sweeper/sampler=grid", "hydra.sweeper.n_jobs=2", "hydra/sweeper/pruner=none")
    process = start(OWN, address, "x=0.25,0.5", GATED, *few)

    def workers():
        return len(below(growing, RAYLET)) - 1  # the head has one, too

    assert workers() == 0
    until(lambda: workers() == 2)
    until(lambda: started() == 2)
    let_through(0)
    until(lambda: workers() == 1)
    assert process.poll() is None, "while the other one trains"
    let_through(1)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err
    assert_each_is_told_once(2)
    until(lambda: workers() == 0)


@pytest.mark.parametrize(("gpus", "cards"), [("0.5", "0"), ("0", "")])
def test_slots_share_a_card_and_see_none_that_they_are_not_given(start, nodes, another, gpus, cards):
    another(num_cpus=2, num_gpus=1)  # Ray counts what it is told that there is
    process = start(*on_cluster(nodes), X, f"hydra.sweeper.executor.gpus={gpus}", "hydra.sweeper.n_jobs=2", GATED)
    until(lambda: started() == 2)
    seen = [slot.environ() for slot in slots(process)]
    process.kill()
    process.wait()
    assert [own.get("CUDA_VISIBLE_DEVICES") for own in seen] == [cards] * 2


@pytest.mark.slow
def test_a_trial_goes_on_from_its_checkpoint_in_a_slot_that_has_none_of_its_files(start, nodes):
    far = (*on_cluster(nodes), "hydra.sweeper.executor.share_files=false", "hydra.sweeper.n_jobs=1")
    real = (
        "hparams=search",
        "hydra.sweep.dir=sweep",
        "trainer.epochs=8",
        "trainer.checkpoint=0",
        "hydra.sweeper.n_trials=1",
    )
    more = ("tracking.experiment=far", "hydra.sweeper.test=false")
    process = start(*far, *real, *more, program=("-m", "sweeper"))
    until(lambda: len([event for event in events() if isinstance(event, EpochReported)]) >= 3)
    process.kill()
    process.wait()
    kept = checkpoint.read(Path("sweep/0"))
    assert kept is not None, "it came with a report"
    checkpoint.write(Path("sweep/0"), replace(kept, curve=[kept.curve[0] | {"val_accuracy": 0.125}, *kept.curve[1:]]))
    process = start(*far, *real, *more, "hydra.sweeper.resume=sweep", program=("-m", "sweeper"))
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err
    (trial,) = trials()
    assert (trial.attempt, trial.state) == (1, "FINISHED")
    assert [epoch for epoch, *_ in trial.curve] == list(range(1, 9))
    assert trial.curve[0][1] == 0.125, "what is told of an epoch that was not trained again"
    assert trial.model.exists()
    assert not (trial.folder / "checkpoint.npz").exists()

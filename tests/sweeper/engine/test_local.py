import os
import signal
import subprocess
import sys
import time
from contextlib import closing

import numpy as np
import psutil
import pytest
from hydra.core.singleton import Singleton

from sweeper.engine.executor import Call, Died, Done, Ready
from sweeper.engine.local import LocalExecutor
from sweeper.engine.slot import Work
from sweeper.machine import capacity

from ..watched import PATIENCE

WORK = Work(None, None, None, Singleton.get_state()).pickled()
HARMLESS = "colorsys"  # a module that nothing imports by itself


def tell(folder):
    """What a slot is, in a file of its own."""
    lines = [os.getppid(), HARMLESS in sys.modules, os.environ.get("GREETING"), np.random.random()]
    (folder / str(os.getpid())).write_text("\n".join(map(str, lines)))


def told(folder):
    return [path.read_text().split("\n") for path in folder.iterdir()]


def heard(executor, kind, count=1):
    """The next messages of a kind."""
    found = []
    for _ in range(PATIENCE):
        found += [message for message in executor.wait(1) if isinstance(message, kind)]
        if len(found) >= count:
            return found
    raise AssertionError(f"waited in vain for {kind}")


@pytest.fixture(autouse=True)
def no_cards(monkeypatch):
    """With a GPU, slots are not forked."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


@pytest.fixture
def executor(tmp_path):
    with closing(LocalExecutor(slots=2, most=2, preload=[HARMLESS])) as executor:
        executor.start(WORK, str(tmp_path / "logs"))
        yield executor


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "told").mkdir()
    return tmp_path / "told"


def test_slots_are_forked_from_a_process_that_has_imported_once(executor, folder):
    for ready in heard(executor, Ready, 2):
        executor.submit(ready.slot, Call(tell, (folder,)))
    heard(executor, Done, 2)
    parents, imported, _, draws = zip(*told(folder), strict=True)
    assert len(set(parents)) == 1
    assert set(parents) != {str(os.getpid())}
    assert set(imported) == {"True"}
    assert len(set(draws)) == 2, "forks go on with one generator"


def test_a_slot_has_the_environment_of_the_moment_it_began_in(tmp_path, folder, monkeypatch):
    monkeypatch.setenv("GREETING", "hello")  # later than the process that it is forked from
    with closing(LocalExecutor(slots=1, most=1, preload=[HARMLESS])) as executor:
        executor.start(WORK, str(tmp_path / "logs"))
        (ready,) = heard(executor, Ready)
        executor.submit(ready.slot, Call(tell, (folder,)))
        heard(executor, Done)
    assert [greeting for *_, greeting, _ in told(folder)] == ["hello"]


def test_a_killed_fork_is_noticed_and_replaced(executor):
    heard(executor, Ready, 2)
    victim = executor._supervisors[0].process
    os.kill(victim.inner.pid, signal.SIGKILL)
    (died,) = heard(executor, Died)
    assert (died.slot, died.reason, died.state) == (0, "killed by SIGKILL", "KILLED")
    assert [ready.slot for ready in heard(executor, Ready)] == [0]


def test_the_loss_of_the_process_that_slots_are_forked_from_costs_only_them(executor, folder):
    heard(executor, Ready, 2)
    server = psutil.Process(executor._supervisors[0].process.inner.pid).parent()
    server.kill()
    heard(executor, Died, 2)  # nobody could tell how they ended, so they are
    for ready in heard(executor, Ready, 2):
        executor.submit(ready.slot, Call(tell, (folder,)))
    heard(executor, Done, 2)
    assert {parent for parent, *_ in told(folder)} != {str(server.pid)}


def test_ended_slots_leave_no_process(executor):
    heard(executor, Ready, 2)
    bodies = [slot.process.body for slot in executor._supervisors.values()]
    executor.close()
    assert not [body for body in bodies if body.is_running() and body.status() != psutil.STATUS_ZOMBIE]


def test_a_module_that_ends_the_interpreter_is_named(tmp_path):
    (tmp_path / "fatal.py").write_text("import os\nos._exit(3)\n")
    (tmp_path / "script.py").write_text(
        "from sweeper.engine.local import LocalExecutor\n"
        "if __name__ == '__main__':\n"
        "    executor = LocalExecutor(slots=1, preload=['fatal'])\n"
        "    executor.start(b'', 'logs')\n"
        "    executor.wait(300)\n"
    )
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True)
    assert "SweeperError: hydra.sweeper.executor.preload: the process that imports fatal for all" in done.stderr


def wait_a_while():
    time.sleep(1000)


def test_a_slot_is_given_up_when_the_machine_runs_out_of_memory(executor, monkeypatch):
    ready = heard(executor, Ready, 2)
    for number in (ready[0].slot, ready[1].slot):
        executor.submit(number, Call(wait_a_while))
    monkeypatch.setattr(capacity, "is_short", lambda: True)
    (died,) = heard(executor, Died)
    assert (died.slot, died.by_us) == (ready[1].slot, True), "the one that has done least"
    assert died.reason == "the machine had hardly any memory left, so its slot was given up"
    assert executor.slots == 1
    time.sleep(1)
    assert not executor.wait(0), "the last slot stays, and nothing takes the place of the other"


def test_a_command_that_trains_nothing_leaves_no_process_behind_that_holds_its_output(tmp_path):
    """As `$(python -m sweeper -m typo)` would wait for."""
    command = [sys.executable, "-c", "from sweeper.engine import forkserver; forkserver.begin(['antigravity_of_ours'])"]
    (tmp_path / "antigravity_of_ours.py").write_text("import time\ntime.sleep(60)\n")
    began = time.monotonic()
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert time.monotonic() - began < 50


def test_slots_begin_although_the_path_of_temporary_files_is_too_long_for_a_socket(tmp_path):
    folder = tmp_path / ("deep" * 25)
    folder.mkdir()
    begun = "process = forkserver.begin([]).Process(target=print); process.start(); process.join()"
    code = f"from sweeper.engine import forkserver; {begun}; raise SystemExit(process.exitcode)"
    command, there = [sys.executable, "-c", code], os.environ | {"TMPDIR": str(folder)}
    done = subprocess.run(command, env=there, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

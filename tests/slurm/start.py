"""A Slurm of this machine alone, on loopback, in a folder of its own: python tests/slurm/start.py FOLDER, until Ctrl-C.

Debian has all that it takes: apt-get install slurmctld slurmd slurm-client munge. It needs neither root nor systemd,
keeps no accounts (sacct answers nothing), binds no job to cores, and has two partitions: `urgent` preempts `normal`.
"""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel")
CORES = 4  # of the one machine, whatever it has: jobs of tests wait more than they calculate
CONF = """
ClusterName=loopback
SlurmctldHost=localhost(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller}
SlurmdPort={worker}
AuthType=auth/munge
AuthInfo=socket={folder}/munge
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=localhost NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN
PartitionName=normal Nodes=ALL Default=YES PriorityTier=1 MaxTime=INFINITE State=UP
PartitionName=urgent Nodes=ALL PriorityTier=10 MaxTime=INFINITE State=UP PreemptMode=OFF
"""


def missing() -> list[str]:
    """Programs that are not installed."""
    return [program for program in PROGRAMS if _path(program) is None]


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Runs as long as this lasts. Yields the environment variables by which Slurm's programs find it.

    folder: with a short path, for it has a socket. Raises: RuntimeError if it does not come up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    key, conf = folder / "munge.key", folder / "slurm.conf"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    controller, worker = _free_ports(2)
    told = {"user": getpass.getuser(), "folder": folder, "cores": CORES, "controller": controller, "worker": worker}
    conf.write_text(CONF.format(**told))
    (folder / "state").mkdir(exist_ok=True)
    found = {"SLURM_CONF": str(conf)}
    files = {"socket": "munge", "key-file": "munge.key", "pid-file": "munge.pid", "log-file": "munge.log"}
    paths = [f"--{option}={folder / name}" for option, name in (files | {"seed-file": "munge.seed"}).items()]
    with ExitStack() as stack:
        for command in (
            ["munged", "--foreground", "--force", *paths],
            ["slurmctld", "-D", "-f", str(conf)],
            ["slurmd", "-D", "-f", str(conf), "-N", "localhost"],
        ):
            stack.enter_context(_running(command, folder, found))
        _wait_for_node(folder, found)
        yield found


@contextmanager
def _running(command: list[str], folder: Path, found: dict[str, str]) -> Iterator[None]:
    program = command[0]
    with open(folder / f"{program}.out", "w") as out:
        started = subprocess.Popen(
            [_path(program), *command[1:]],
            stdout=out,
            stderr=out,
            env=os.environ | found,
            start_new_session=True,  # Ctrl-C is for this process, which ends the others in order
        )
        try:
            yield
        finally:
            started.terminate()
            try:
                started.wait(10)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()


def _wait_for_node(folder: Path, found: dict[str, str]) -> None:
    for _ in range(100):
        asked = subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True, env=os.environ | found)
        if "idle" in asked.stdout:
            return
        time.sleep(0.2)
    said = "\n".join(f"{file}: {file.read_text()[-1000:]}" for file in folder.glob("*.out"))
    raise RuntimeError(f"Slurm did not come up.\n{said}")


def _path(program: str) -> str | None:
    """Also where users do not look for programs."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def main() -> None:
    if len(sys.argv) != 2 or missing():
        sys.exit(f"{__doc__}\nMissing: {', '.join(missing()) or 'nothing'}")
    for number in (signal.SIGINT, signal.SIGTERM):  # the former is ignored by what a script begins with `&`
        signal.signal(number, signal.default_int_handler)
    with slurm(Path(sys.argv[1]).absolute()) as found:
        print("In another terminal:", *(f"export {key}={value}" for key, value in found.items()), "sinfo", sep="\n  ")
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("Stopped.")


if __name__ == "__main__":
    main()

"""A Ray cluster: one that exists, or one of this machine alone that ends with this process. Only here Ray is begun."""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sweeper.errors import ConfigError, SweeperError
from sweeper.machine import hardware, inherited

_GB = 1e9  # bytes
_FINEST = 1e-4  # part of a card that Ray counts
_PATIENCE = 10  # seconds for the address to answer
_LOCAL = "local"  # a new cluster, also where RAY_ADDRESS names another one
_SILENT = {"RAY_DEDUP_LOGS_SKIP_REGEX": ".*"}  # of the lines that Ray prints by itself, those that it leaves out: all
_NO_CLUSTERS = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"  # 0: of this machine alone, as Ray has it on those two


@dataclass(frozen=True)
class Need:
    """Of a slot."""

    cpus: float = 1
    gpus: float | None = None  # None: one where the cluster has any
    memory: float | None = None  # GB

    @property
    def resources(self) -> dict[str, float]:
        """In Ray's words and units."""
        wanted = {"CPU": self.cpus, "GPU": self.gpus or 0, "memory": (self.memory or 0) * _GB}
        return {name: amount for name, amount in wanted.items() if amount}

    @property
    def options(self) -> dict[str, Any]:
        """Of an actor."""
        memory = {} if self.memory is None else {"memory": int(self.memory * _GB)}
        return {"num_cpus": self.cpus, "num_gpus": self.gpus or 0, **memory}

    def __str__(self) -> str:
        keys = {"cpus": self.cpus, "gpus": self.gpus, "memory": self.memory}
        return ", ".join(f"{key}={value:g}" for key, value in keys.items() if value)

    def fits_into(self, resources: Mapping[str, float]) -> int:
        """How often."""
        shares = (resources.get(name, 0) / amount for name, amount in self.resources.items())
        return math.floor(min(shares, default=0) + 1e-9)


class Cluster:
    def __init__(self, address: str | None, need: Need):
        """Raises: ConfigError if Ray is not installed, or nothing answers at the address."""
        if importlib.util.find_spec("ray") is None:
            raise ConfigError(
                "hydra/sweeper/executor=ray needs the package ray: python -m pip install -e '.[ray]' in your clone"
            )
        self.address, self.need = address, need
        if address is not None:
            _check_answers(address)

    def connect(self, slots: int | None, runtime_env: Mapping[str, Any]) -> None:
        """Waits for it, for what Ray does to signals has to be undone before anybody else relies on them. In the main
        thread: with the thread that begins them, the processes of a cluster of this machine end, however that ends.

        slots: that are asked for; None: as many as it holds. runtime_env: of the slots, in Ray's words.

        Raises: SweeperError if Ray refuses, ConfigError if a cluster of this machine cannot hold a slot.
        """
        with inherited.environment(_SILENT | (_own() if self.address is None else {})):
            self._begin(slots, runtime_env)

    def _begin(self, slots: int | None, runtime_env: Mapping[str, Any]) -> None:
        import ray

        logging.getLogger("ray").setLevel(logging.ERROR)
        known: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "runtime_env": runtime_env}
        if self.address is None:
            known |= {"num_cpus": self._cores(slots), "include_dashboard": False}
        try:
            with _sigterm_kept():
                ray.init(self.address or _LOCAL, **known)
        except Exception as error:  # of many kinds: another version, no token, a runtime environment that is refused
            address = self.address or "null"
            raise SweeperError(f"hydra.sweeper.executor.address={address}: Ray does not begin: {error}") from error
        if self.need.gpus is None:
            self.need = replace(self.need, gpus=self._part_of_a_card(slots))
        if self.address is None and not self.room():
            had = _told(_nodes()[0])
            raise ConfigError(
                f"hydra.sweeper.executor: a slot needs {self.need}, and this machine has {had}. Give less."
            )

    def room(self) -> int:
        """How many slots its nodes would hold if they held nothing else."""
        return sum(map(self.need.fits_into, _nodes()))

    def _cores(self, slots: int | None) -> int:
        """Of a cluster of this machine alone: more than it has where more slots are asked for, as processes may be."""
        return max(hardware.cores(), math.ceil(self.need.cpus * (slots or 0)))

    def _part_of_a_card(self, slots: int | None) -> float:
        """Each slot's, where the user does not say: a whole one, or less where this machine has fewer than slots."""
        cards = sum(node.get("GPU", 0) for node in _nodes())
        if self.address is None and slots:
            return math.floor(min(1, cards / slots) / _FINEST) * _FINEST
        return 1 if cards else 0

    def why_none_begins(self) -> str:
        """For the user of a cluster, who waits."""
        nodes = _nodes()
        most = {name: max((node.get(name, 0) for node in nodes), default=0) for name in ("CPU", "GPU", "memory")}
        lack = f"no node has as much, but at most {_told(most)}"
        why = "its nodes are in use by others, or still prepare it" if self.room() else lack
        return (
            f"hydra.sweeper.executor: there is no slot on the cluster. A slot needs {self.need}, and {why}. "
            "The sweep waits; Ctrl-C ends it."
        )

    def why_lost(self, node: str | None, error: Exception) -> tuple[str, bool]:
        """Why an actor was lost, for the user, and whether that was chance: a slot lives in a process of its own, so
        its actor dies of nothing that a trial does but of memory. node: that it was on. Raises: SweeperError if it
        could not begin.
        """
        import ray

        if getattr(error, "actor_init_failed", False):
            raise SweeperError(f"hydra.sweeper.executor: a slot cannot begin on the cluster. {error}") from error
        alive = {found["NodeID"] for found in ray.nodes() if found["Alive"]}
        if "OutOfMemory" in type(error).__name__ or "memory pressure" in str(error):
            return "Ray ended it: its node had hardly any memory left", False
        if node and node not in alive:
            return f"its node {node[:8]} was lost", True
        return "its actor was lost", True

    def close(self) -> None:
        import ray

        ray.shutdown()


def _nodes() -> list[Mapping[str, float]]:
    """What each that is alive has."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _told(resources: Mapping[str, float]) -> str:
    """Of a node, for the user."""
    cpus, gpus, memory = (resources.get(name, 0) for name in ("CPU", "GPU", "memory"))
    return f"CPU={cpus:g}, GPU={gpus:g}, memory={memory / _GB:.1f} GB"


@contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Ray takes it for itself, in Python and below it, where it would end the process without a last word."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _own() -> dict[str, str]:
    """The environment in which a cluster of this machine begins: it listens on 127.0.0.1 only, obeys nobody else, and
    reports its use to nobody.

    By itself Ray would listen everywhere, keep its token in the home folder, and tell its makers of its use. What it
    reads when it is imported is left to whoever has imported it already, or has chosen otherwise.
    """
    quiet = {} if "RAY_USAGE_STATS_ENABLED" in os.environ else {"RAY_USAGE_STATS_ENABLED": "0"}
    if "ray" in sys.modules or "RAY_AUTH_MODE" in os.environ:
        return quiet
    return quiet | {_NO_CLUSTERS: "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def _check_answers(address: str) -> None:
    place = address.partition("://")[2] or address
    host, colon, port = place.rpartition(":")
    if not colon or not port.isdecimal():
        if address == "auto":
            return
        raise ConfigError(
            f"hydra.sweeper.executor.address={address}: give host:port of a cluster's head, ray://host:10001 from "
            "outside of it, or auto on one of its nodes."
        )
    try:
        socket.create_connection((host, int(port)), _PATIENCE).close()
    except OSError as error:
        raise ConfigError(
            f"hydra.sweeper.executor.address={address}: nothing answers there ({error}). Begin a cluster, ray start "
            "--head, or leave the key out for one of this machine alone."
        ) from None

"""A user's own project in small: its config, its task, our sweeper. The task costs nothing, so the engine shows."""

import errno
import os
import random
import resource
import subprocess
import sys
import time
from types import SimpleNamespace

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from sweeper import plugin


def climb(cfg: DictConfig, report, test: bool = False) -> float | tuple[float, float] | SimpleNamespace:
    print(f"x={cfg.x}")
    if cfg.fail == "always":
        raise ValueError("no hill here")
    if cfg.fail == "exit":
        os._exit(7)
    if cfg.fail == "quit":
        sys.exit("please mend your config")
    if cfg.fail == "orphan":
        subprocess.Popen(["sleep", "50"], close_fds=False)  # holds the connection of its dead parent open
        os._exit(9)
    if cfg.fail == "hang":
        time.sleep(1000)
    if cfg.fail == "memory":
        resource.setrlimit(resource.RLIMIT_AS, (2**32, resource.RLIM_INFINITY))
        bytearray(2**33)
    if cfg.fail == "leak":
        held = []
        for _ in range(1000):
            held.append(bytearray(b"x" * 2**24))
            time.sleep(0.02)  # it is weighed twice a second, and this machine's memory may be little
        return float(len(held))
    if cfg.fail == "full":
        raise OSError(errno.ENOSPC, "No space left on device", "model.keras")
    if cfg.fail == "pair":
        return 1.0, 2.0
    height = float("nan") if cfg.fail == "nan" else 1.0 if cfg.kind == "flat" else 1 - cfg.x**2
    height += random.Random(f"{cfg.seed} {cfg.x}").gauss(0, cfg.noise)
    for epoch in range(1, cfg.epochs + 1):
        time.sleep(cfg.pause)
        while _is_held(cfg):
            time.sleep(0.05)
        stop = report(epoch, height * epoch / cfg.epochs, {"height": height})
        if stop or (cfg.enough and os.path.exists(cfg.enough)):
            break
    if test and cfg.judges:
        return SimpleNamespace(value=height, facts={"test_value": height - 1})
    return (height, cfg.x) if cfg.two else height


def _is_held(cfg: DictConfig) -> bool:
    gate = os.path.join(cfg.gates, str(HydraConfig.get().job.num)) if cfg.gates else cfg.gate
    return bool(gate) and not os.path.exists(gate)


if __name__ == "__main__":
    plugin.register()
    hydra.main(version_base="1.3", config_path="conf", config_name="config")(climb)()

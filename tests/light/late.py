"""The light task, in a sweep for whose limits the time is later by as many seconds as the file `late` says."""

import time
from pathlib import Path
from types import SimpleNamespace

import app
import cloudpickle
import hydra

from sweeper import plugin
from sweeper.engine import limits


def now() -> float:
    return time.time() + (float(Path("late").read_text() or 0) if Path("late").exists() else 0)


if __name__ == "__main__":
    limits.time = SimpleNamespace(time=now)
    cloudpickle.register_pickle_by_value(app)  # as if it were this file: no slot has to find it
    plugin.register()
    conf = str(Path(__file__).parent / "conf")
    hydra.main(version_base="1.3", config_path=conf, config_name="config")(app.climb)()

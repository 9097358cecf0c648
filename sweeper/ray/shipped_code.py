"""The code that nodes of a cluster need: this package and the user's own project, as Ray ships them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sweeper
from sweeper.errors import ConfigError
from sweeper.training import sources

_CODE = {".py", ".yaml", ".yml", ".json", ".toml", ".cfg", ".ini", ".html", ".css", ".js"}
_NO_CODE = {"multirun", "outputs", "mlruns", "mlartifacts", "node_modules", "__pycache__"}
_LARGEST, _MOST = 1e6, 100e6  # bytes of a file, of a project: people write no more of it
_OURS = Path(sweeper.__file__).parent
_BESIDE = ("conf", "models", "datasets")  # of a checkout; an install has them inside of the package
_DOOR = ("hydra_plugins", "sweeper")  # under which name Hydra finds hydra_plugin


def project() -> Path:
    """The folder of the script that was started; of `python -m` and of our own command the working folder."""
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    started = None if file is None or getattr(main, "__spec__", None) else Path(file).resolve()
    is_theirs = started and started.suffix == ".py" and not sources.is_installed(started)
    return started.parent if is_theirs else Path.cwd()


def runtime_env(stage: Path) -> dict[str, Any]:
    """For Ray. stage: an empty folder, which holds a copy of the code until Ray has taken it.

    Raises: ConfigError if the project holds too much for code.
    """
    package, plugin = stage / "ours" / "sweeper", stage / "door" / _DOOR[0]
    _copy(_OURS, package)
    for name in _BESIDE:
        if not (_OURS / name).is_dir():
            _copy(_OURS.parent / name, package / name)
    _copy(_OURS / "hydra_plugin", plugin / _DOOR[1])
    _copy(project(), stage / "project")
    return {"working_dir": str(stage / "project"), "py_modules": [str(package), str(plugin)]}


def _copy(source: Path, target: Path) -> None:
    size = 0
    for file in _files(source):
        size += file.stat().st_size
        if size > _MOST:
            raise ConfigError(
                f"hydra.sweeper.executor: {source} holds more than {_MOST / 1e6:.0f} MB of code, which would go to the "
                "cluster. Start the sweep in the folder of your project, or have the code on all nodes and give "
                "hydra.sweeper.executor.ship_code=false"
            )
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, copy)
    target.mkdir(parents=True, exist_ok=True)


def _files(folder: Path) -> Iterator[Path]:
    """Code and configs; neither what is hidden, as secrets are, nor what sweeps leave, nor a whole Python."""
    for place, folders, names in os.walk(folder):
        if "pyvenv.cfg" in names:
            folders[:] = []
            continue
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _NO_CODE]
        found = (Path(place, name) for name in names if Path(name).suffix in _CODE and not name.startswith("."))
        yield from (file for file in found if file.is_file() and file.stat().st_size <= _LARGEST)

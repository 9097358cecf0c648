"""Which code trains: a hash of the sources of this package, and of each package of the user's own that a config calls.

A commit would not tell: the working folder may be no repository, or one of something else.
"""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

OURS = "sweeper"
_ZOOS = ("models", "datasets")  # of the package, which lie beside it in a checkout
_ELSEWHERE = ("hydra_plugin", "conf")  # in a checkout than where it is installed; they train nothing
_INSTALLED = tuple(Path(sysconfig.get_path(kind)) for kind in ("stdlib", "purelib", "platlib"))


def fingerprint(targets: Iterable[str]) -> str:
    """`sweeper 0123456789abcdef, my_project fedcba9876543210`: of the Python files that lie there now.

    targets: dotted names that a config calls. What is installed from others has a version, which `origin` keeps.
    """
    names = dict.fromkeys((OURS, *sorted({target.partition(".")[0] for target in targets})))
    found = {name: _hash(name) for name in names}
    return ", ".join(f"{name} {digest}" for name, digest in found.items() if digest)


def is_installed(file: Path) -> bool:
    """Whether it belongs to Python or to a package that was installed, and is nobody's own project."""
    return any(file.is_relative_to(folder) for folder in _INSTALLED)


@cache
def _hash(package: str) -> str:
    """16 hexadecimal digits. Empty where nothing of one's own is found. A slot trains many trials: kept."""
    files = sorted(_files(package))
    digest = hashlib.sha256()
    for name, path in files:
        content = path.read_bytes()
        digest.update(f"{name} {len(content)}\n".encode(errors="surrogateescape"))
        digest.update(content)
    return digest.hexdigest()[:16] if files else ""


def _files(package: str) -> Iterator[tuple[str, Path]]:
    """Each with its name in the package, which is the same in a checkout and where that is installed."""
    for inside, place in _places(package):
        if place.is_file():
            yield place.name, place
        for folder, subfolders, names in os.walk(place):
            subfolders[:] = [name for name in subfolders if not name.startswith((".", "__")) and name not in _ELSEWHERE]
            for path in (Path(folder, name) for name in names if name.endswith(".py")):
                if path.is_file() and os.access(path, os.R_OK):
                    yield str(inside / path.relative_to(place)), path


def _places(package: str) -> list[tuple[Path, Path]]:
    """Its folders, or the file that it is, each with where in the package that lies."""
    if package == OURS:
        folder = Path(__file__).parents[1]
        zoos = [(Path(zoo), Path(beside, zoo)) for beside in sys.modules[OURS].__path__ for zoo in _ZOOS]
        return [(Path(), folder), *((zoo, place) for zoo, place in zoos if not place.is_relative_to(folder))]
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):  # as of __main__
        return []
    if spec is None:
        return []
    found = [Path(place) for place in spec.submodule_search_locations or [spec.origin or "built-in"]]
    return [(Path(), place) for place in found if place.exists() and not is_installed(place)]

"""The design, held by tests: what may import what, what a quick command must not load, where the package lies."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"tensorflow", "keras", "optuna", "mlflow", "pandas", "sklearn", "cv2", "ray"}
ZOO = sorted([*ROOT.glob("models/*.py"), *ROOT.glob("datasets/*.py")])
ENGINE = sorted(ROOT.glob("sweeper/**/*.py"))


def module(path):
    """sweeper/search/space.py as sweeper.search.space, sweeper/page/__init__.py as sweeper.page."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module(path) for path in ENGINE}
ROOMS = {name for name in MODULES if (ROOT / name.replace(".", "/")).is_dir() and name.count(".") == 1}


def imports(path, *, top_only=False):
    """Modules that a file imports, `from sweeper.page import head` as sweeper.page.head. top_only: not in functions."""
    tree = ast.parse(path.read_text())
    for node in tree.body if top_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            whole = (f"{node.module}.{name.name}" for name in node.names)
            yield from (name if name in MODULES else node.module for name in whole)


def assert_without_circles(below):
    """below: name -> names that it needs."""
    while below:
        lowest = [name for name, needs in below.items() if not (needs - {name}) & set(below)]
        assert lowest, f"circular: {below}"
        for name in lowest:
            del below[name]


def loaded_by(code, cwd):
    """The heavy packages that a fresh interpreter has loaded after this code."""
    ending = "\nimport sys; print(*sorted(set(m.split('.')[0] for m in sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code + ending], capture_output=True, text=True, cwd=cwd, check=True)
    return HEAVY & set(done.stdout.split("\n")[-2].split())


@pytest.mark.parametrize("path", [pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in ZOO])
def test_a_zoo_file_knows_nothing_of_the_engine(path):
    contract = {"sweeper.data", "sweeper.errors"} if path.parent.name == "datasets" else set()
    assert {name for name in imports(path) if name.startswith("sweeper")} <= contract


@pytest.mark.parametrize("path", [pytest.param(path, id=module(path)) for path in ENGINE])
def test_nobody_imports_a_zoo_file(path):
    assert not [name for name in imports(path) if name.startswith(("sweeper.models", "sweeper.datasets"))]


def test_the_engine_has_no_circular_imports():
    assert_without_circles({module(path): set(imports(path)) & MODULES - ROOMS for path in ENGINE})


def test_rooms_need_each_other_in_one_direction():
    assert len(ROOMS) > 10
    below = {room: set() for room in ROOMS}
    for path in ENGINE:
        room = module(path.parent)
        if room in ROOMS:
            below[room] |= {name.rpartition(".")[0] for name in set(imports(path)) & MODULES} & ROOMS
    assert_without_circles(below)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--cfg", "job", "hparams=search"],
        ["leaderboard", "--help"],
        ["export", "--help"],
        ["promote", "--help"],
        ["plan", "--help"],
        ["confirm", "--help"],
        ["replay", "--help"],
        ["report", "--help"],
    ],
)
def test_a_quick_command_loads_nothing_heavy(arguments, tmp_path):
    code = (
        f"import sys; sys.argv = ['sweeper', *{arguments!r}]\n"
        "from sweeper.app import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
    )
    assert loaded_by(code, tmp_path) == set()


def test_tensorflow_stays_out_of_the_coordinator(tmp_path):
    loaded = loaded_by("import sweeper.sweep.sweep, sweeper.engine.local", tmp_path)
    assert loaded & {"tensorflow", "keras", "mlflow"} == set()


@pytest.mark.parametrize("name", ["models", "datasets", "conf"])
def test_no_folder_of_ours_is_a_package_at_the_top(name, tmp_path):
    code = f"import importlib.util, pathlib\nspec = importlib.util.find_spec('{name}')\nassert spec is None, spec"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    code = f"import sweeper.{name}"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)

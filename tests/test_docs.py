"""The how-tos, followed by the letter: their files written where they say, their commands typed one after the other."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(ROOT.glob("docs/*.md"))
EXAMPLE = ROOT / "examples" / "own_project"
IN_CHECKOUT = {"own_network", "own_data", "from_kerastuner"}  # they add files to models/ and datasets/
BLOCK = re.compile(r"(?P<before>[^\n]*)\n\n```(?P<kind>\w+)\n(?P<content>.*?)```", re.DOTALL)
FILE = re.compile(r"`(?P<path>[\w./-]+)`:$")


def follow(page: Path, folder: Path, path: Path) -> int:
    """Writes each block that is introduced as a file, and runs each of bash; how many commands there were.

    path: where `sweeper` is found.
    """
    run = 0
    for block in BLOCK.finditer(page.read_text()):
        file = FILE.search(block["before"])
        if file:
            written = folder / file["path"]
            written.parent.mkdir(parents=True, exist_ok=True)
            written.write_text(block["content"])
        elif block["kind"] == "bash":
            typed(block["content"], folder, path)
            run += 1
    return run


def typed(script: str, folder: Path, path: Path) -> None:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ours = {"PATH": programs, "PYTHONPATH": str(path), "SWEEPER_CACHE": str(folder / "cache")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=os.environ | ours, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{script}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"


@pytest.mark.slow
@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in PAGES if page.stem in IN_CHECKOUT])
def test_a_how_to_works_in_a_checkout(page, tmp_path):
    for name in ("sweeper", "conf", "models", "datasets", "tests", "pyproject.toml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    assert follow(page, tmp_path, tmp_path) > 0


@pytest.mark.slow
@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in PAGES if page.stem not in IN_CHECKOUT])
def test_a_how_to_works_where_the_package_is_installed(page, tmp_path, site):
    assert follow(page, tmp_path, site) > 0


@pytest.mark.slow
def test_the_example_works_where_the_package_is_installed(tmp_path, site):
    project = shutil.copytree(EXAMPLE, tmp_path / "project", ignore=shutil.ignore_patterns("multirun", "outputs"))
    assert follow(project / "README.md", project, site) > 0
    assert (project / "classifier" / "model.onnx").exists()


@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in [*PAGES, ROOT / "README.md"]])
def test_what_a_page_links_to_is_there(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert not [link for link in links if not (page.parent / link).exists()]

"""The pages for users, followed by the letter: their files written where they say, their commands typed one after the
other. Of README and reference every command is typed that digits and some seconds of training are enough for."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(ROOT.glob("docs/*.md"))
README = ROOT / "README.md"
EXAMPLE = ROOT / "examples" / "own_project"
IN_CHECKOUT = {"own_network", "own_data", "from_kerastuner"}  # they add files to models/ and datasets/
HOW_TOS = [page for page in PAGES if page.stem.startswith(("own_network", "own_data", "from_"))]
REFERENCE = [README, *(page for page in PAGES if page not in HOW_TOS)]
TOUR = "## Five minutes"
NOT_TYPED = {  # how a command begins: why
    "python -m pip install": "it installs packages; CI types it, and test_packaging.py installs the wheel",
    "python -m sweeper ui": "it serves until Ctrl-C: commands/test_ui.py",
    "mlflow models serve": "a server, for minutes: commands/test_promote.py",
    'echo \'{"dataframe_records"': "it asks that server",
    "python -m sweeper +experiment=cifar10 ": "other data, and hours: tests/test_experiments.py composes it",
    "python -m sweeper -m +experiment=cifar10_subset": "other data, and hours",
    "python -m sweeper -m +experiment=ferplus_subset": "likewise",
    "python -m sweeper -m hparams=search hydra.sweeper.n_trials=50 hydra.sweeper.resume=latest": (
        "it goes on with a sweep that was broken off: engine/test_resume.py"
    ),
    "python -m sweeper -m hparams=search hydra.sweeper.n_trials=500 hydra.sweeper.deadline=18:30": (
        "it may be half past six: engine/test_limits.py"
    ),
    "python -m sweeper -m hparams=search +evolution=pbt": "40 trainings: evolution/test_sweep.py has a smaller one",
    "python -m sweeper verify": "of two trials nothing is expected: commands/test_verify.py",
    "python -m sweeper -m hparams=search hydra/launcher=submitit_slurm": "it needs a cluster: slurm/test_slurm.py",
    "python tests/slurm/start.py": "it serves until Ctrl-C: slurm/test_slurm.py",
    "python -m sweeper -m hparams=search hydra.sweeper.n_trials=200 hydra.sweeper.study_name=monday": (
        "it needs servers: sharing/test_mlflow_server.py starts them"
    ),
    "POSTGRES_PASSWORD=… docker compose": "Docker may not be there; what it is given is looked at below",
    "sudo ": "it changes the machine",
    "PGPASSWORD=… MLFLOW_BACKEND_STORE_URI=": "a server: sharing/test_mlflow_server.py starts it",
    "python -m sweeper -m hparams=search hydra/sweeper/executor=ray hydra.sweeper.executor.address=auto": (
        "a cluster: ray/test_executor.py begins one"
    ),
    "ray ": "clusters, of this and other machines; what `ray up` is given is looked at below",
    "docker build": "Docker may not be there",
    "kubectl ": "it needs a Kubernetes; the manifest is looked at below",
    "head=$(kubectl": "likewise",
    "python -m sweeper plan": "a minute or two on two free cores: commands/test_plan.py",
}
SHORT = "dataset.train_size=100 trainer.epochs=1 hydra.sweeper.n_trials=2"  # behind each command that trains
SWEEP = "2026-11-23_19-40-16"  # the one that the pages go on with
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


def commands(text: str) -> list[str]:
    """Those of all blocks of bash, one a line, without comments."""
    blocks = (block["content"] for block in re.finditer(r"```bash\n(?P<content>.*?)```", text, re.DOTALL))
    lines = (line for block in blocks for line in block.replace("\\\n", "").splitlines())
    return [line for line in (re.sub(r"(^|\s+)#.*", "", line) for line in lines) if line]


def is_typed(command: str) -> bool:
    return not command.startswith(tuple(NOT_TYPED))


def tour() -> str:
    return README.read_text().partition(TOUR)[2].partition("\n## ")[0]


def to_type(page: Path) -> list[str]:
    """What of its commands can be typed, and no other test types."""
    elsewhere = commands(tour()) if page == README else commands(README.read_text())
    return [command for command in commands(page.read_text()) if is_typed(command) and command not in elsewhere]


def typed(script: str, folder: Path, path: Path) -> str:
    """What it printed."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ours = {"PATH": programs, "PYTHONPATH": str(path), "SWEEPER_CACHE": str(folder / "cache")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=os.environ | ours, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{script}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout + done.stderr


@pytest.mark.slow
def test_the_five_minutes_work_from_top_to_bottom(tmp_path):
    said = {command: typed(command, tmp_path, ROOT) for command in filter(is_typed, commands(tour()))}
    assert len(said) == 7
    assert not [command for command, told in said.items() if "Traceback" in told or "%|" in told]
    (sweep,) = (tmp_path / "multirun").iterdir()
    assert (sweep / "report.html").is_file()
    assert (tmp_path / "digits" / "model.onnx").is_file()
    *_, predicted = said.values()
    assert predicted.startswith("seven.png\t7\t0.9")


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A folder with a small sweep of that name, whose networks know the digits: int8 keeps no others' answers."""
    folder = tmp_path_factory.mktemp("swept")
    small = "hydra.sweeper.n_trials=2 trainer.epochs=6 hydra/sweeper/pruner=none"
    typed(f"python -m sweeper -m hparams=search {small} hydra.sweep.dir=multirun/{SWEEP}", folder, ROOT)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in REFERENCE if to_type(page)])
def test_the_commands_of_a_page_are_taken(page, swept, tmp_path):
    here = shutil.copytree(swept, tmp_path / "here")
    for command in to_type(page):
        typed(f"{command} {SHORT}" if command.startswith("python -m sweeper -m ") else command, here, ROOT)


def test_each_command_that_is_not_typed_stands_in_a_page():
    stand = [command for page in REFERENCE for command in commands(page.read_text())]
    assert [begin for begin in NOT_TYPED if not any(command.startswith(begin) for command in stand)] == []


@pytest.mark.slow
@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in HOW_TOS if page.stem in IN_CHECKOUT])
def test_a_how_to_works_in_a_checkout(page, tmp_path):
    for name in ("sweeper", "conf", "models", "datasets", "tests", "pyproject.toml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    assert follow(page, tmp_path, tmp_path) > 0


@pytest.mark.slow
@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in HOW_TOS if page.stem not in IN_CHECKOUT])
def test_a_how_to_works_where_the_package_is_installed(page, tmp_path, site):
    assert follow(page, tmp_path, site) > 0


@pytest.mark.slow
def test_the_example_works_where_the_package_is_installed(tmp_path, site):
    project = shutil.copytree(EXAMPLE, tmp_path / "project", ignore=shutil.ignore_patterns("multirun", "outputs"))
    assert follow(project / "README.md", project, site) > 0
    assert (project / "classifier" / "model.onnx").exists()


def test_the_servers_of_compose_are_started_with_options_that_mlflow_has():
    from mlflow.cli import server  # it takes seconds

    services = yaml.safe_load((ROOT / "docs" / "compose.yaml").read_text())["services"]
    program, command, *words = services["mlflow"]["command"].split()
    assert (program, command) == ("mlflow", server.name)
    known = {option: parameter for parameter in server.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= set(known)
    assert "MLFLOW_BACKEND_STORE_URI" in known["--backend-store-uri"].envvar
    assert services["mlflow"]["environment"]["PGPASSWORD"] == "${POSTGRES_PASSWORD}"


RAY_READS = """
import json, sys, yaml
from ray.autoscaler._private.kuberay import autoscaling_config
from ray.autoscaler._private.util import prepare_config, validate_config

*_, cluster = yaml.safe_load_all(open(sys.argv[1]))
if "kind" in cluster:
    cluster["metadata"]["namespace"] = "default"
    cluster = autoscaling_config._derive_autoscaling_config_from_ray_cr(cluster)
else:
    validate_config(cluster := prepare_config(cluster))
print(json.dumps([node["resources"]["CPU"] for node in cluster["available_node_types"].values()]))
"""


@pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: python -m pip install -e '.[ray]'")
@pytest.mark.parametrize("file", ["cloud.yaml", "kubernetes.yaml"])
def test_ray_reads_the_clusters_of_the_pages_as_they_are_meant(file):
    """In a process of its own: once imported, Ray would not heed what other tests ask of it."""
    command = [sys.executable, "-c", RAY_READS, ROOT / "docs" / file]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert sorted(json.loads(done.stdout.splitlines()[-1])) == [0, 8]  # cores of the head, and of a worker


def test_the_volume_of_kubernetes_is_the_heads():
    volume, cluster = yaml.safe_load_all((ROOT / "docs" / "kubernetes.yaml").read_text())
    head = cluster["spec"]["headGroupSpec"]["template"]["spec"]
    assert head["volumes"][0]["persistentVolumeClaim"]["claimName"] == volume["metadata"]["name"]


@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in [README, *PAGES]])
def test_what_a_page_links_to_is_there(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert not [link for link in links if not (page.parent / link).exists()]

import sys
from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from sweeper.config import allowed
from sweeper.config.compose import composed
from sweeper.errors import ConfigError
from sweeper.training import instances

ROOT = Path(__file__).resolve().parents[3]
OURS = [
    pytest.param(key, target, id=target)
    for folder, prefix in ((ROOT / "conf", ""), (ROOT / "sweeper" / "groups", "hydra.sweeper."))
    for file in sorted(folder.glob("*/*.yaml"))
    if (key := prefix + file.parent.name) in allowed.NAMESPACES
    and (target := OmegaConf.load(file).get("_target_"))
    and not target.startswith("keras.")  # it takes seconds to import; test_trial.py trains with one
]


@pytest.mark.parametrize(("key", "target"), OURS)
def test_every_target_of_our_own_files_is_called(key, target):
    allowed.check({"_target_": target}, key)


def test_there_are_such_files():
    assert len(OURS) > 20


@pytest.mark.parametrize(
    ("key", "target"),
    [
        ("model", "os.system"),
        ("model", "builtins.eval"),
        ("model", "hydra.utils.get_method"),
        ("model", "keras.models.load_model"),
        ("model", "keras.utils.get_file"),
        ("dataset", "sweeper.datasets.digits.np.load"),  # what a module of ours imports is not ours
        ("dataset", "sweeper.datasets.cifar10.pickle.load"),
        ("dataset", "sweeper.models.custom.build"),  # each key its own
        ("trainer", "sweeper.training.trainer.direction"),  # a function where classes are
        ("optimizer", "keras.utils.get_file"),
        ("hydra.sweeper.executor", "sweeper.engine.local.os.system"),
        ("hydra.sweeper.executor", "sweeper.training.checkpoint.delete"),
        ("hydra.sweeper.executor", "sweeper.engine.local.LocalExecutor.close"),
        ("hydra.sweeper.sampler", "optuna.samplers._base.np.load"),
        ("hydra.sweeper.sampler", "optuna.delete_study"),
        ("hydra.sweeper.storage", "optuna.storages.run_grpc_proxy_server"),
        ("hydra.sweeper.storage", "optuna.storages"),
        ("nothing", "sweeper.models.custom.build"),
        ("model", "sweeper.models.custom.build.__globals__"),
        ("model", "../x.build"),
        ("model", "sweeper.models.nowhere.build"),
        ("model", ""),
        ("model", None),
        ("model", ["os.system"]),
    ],
)
@pytest.mark.parametrize("wrap", [lambda node: node, lambda node: {"a": [1, {"b": [node]}]}], ids=["bare", "nested"])
def test_anything_else_is_refused_however_deep_it_lies(key, target, wrap):
    with pytest.raises(ConfigError, match="_target_="):
        allowed.check(wrap({"_target_": target, "_args_": ["true"], "_partial_": True}), key)


def test_a_refusal_imports_nothing(tmp_path, monkeypatch):
    (tmp_path / "strange.py").write_text("raise SystemExit('it ran')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"hydra.sweeper.allow=\[strange.build\]"):
        allowed.check({"_target_": "strange.build"}, "model")


def test_an_interpolation_that_could_become_a_target_is_refused():
    hidden = OmegaConf.create({"x": r"\${oc.create:'{_target_: os.system}'}"})
    with pytest.raises(ConfigError, match="interpolation"):
        allowed.check(OmegaConf.to_container(hidden, resolve=True), "model")


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "my_project.py").write_text("import os\nclass Model:\n    @classmethod\n    def build(cls): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("my_project", None)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("allow", [["my_project."], ["my_project.Model.build"], ["other.", "my_project.Model."]])
def test_what_the_user_allows_is_called(allow):
    allowed.check({"_target_": "my_project.Model.build"}, "model", allow)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("target", ["my_project.os.system", "my_projects.build", "os.system", "my_project"])
def test_a_prefix_is_no_door_to_other_packages(target):
    with pytest.raises(ConfigError):
        allowed.check({"_target_": target}, "model", ["my_project."])


@pytest.mark.parametrize("given", ["my_project.", [""], ["."], ["*"], ["os..system"], [3], 5, {"a.": 1, 2: 3}])
def test_what_is_allowed_are_dotted_names(given):
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.allow="):
        allowed.entries(given)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("path", ["os.system", "subprocess.run", "my_project.os.system", "builtins.exec", "x", None])
def test_a_function_of_the_user_is_none_of_pythons_own(path):
    assert callable(allowed.function("my_project.Model", "hydra.sweeper.custom_search_space"))
    with pytest.raises(ConfigError, match=r"hydra.sweeper.custom_search_space="):
        allowed.function(path, "hydra.sweeper.custom_search_space")


@pytest.fixture
def own_data(tmp_path, monkeypatch):
    """The config of a data set that a user's own module loads."""
    (tmp_path / "my_data.py").write_text("def load(seed): return 'loaded'\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
    yield OmegaConf.create({"dataset": {"_target_": "my_data.load", "seed": 0}, "cache": None})
    sys.modules.pop("my_data", None)


def test_a_command_that_reads_a_run_allows_what_it_is_told(own_data):
    with pytest.raises(ConfigError, match=r"--allow my_data\.load"):
        instances.dataset(own_data)
    assert instances.dataset(own_data, allow=["my_data."]) == "loaded"


def test_a_run_does_not_allow_itself(own_data):
    own_data.hydra = {"sweeper": {"allow": ["my_data."]}}
    with pytest.raises(ConfigError, match=r"dataset\._target_=my_data\.load is not called"):
        instances.dataset(own_data)


def test_what_is_typed_is_allowed_in_the_whole_process(own_data):
    composed(["hydra.sweeper.allow=[my_data.]"])
    assert allowed.typed() == ("my_data.",)
    assert instances.dataset(own_data) == "loaded"

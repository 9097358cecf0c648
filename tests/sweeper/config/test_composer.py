"""Trials get what Hydra's own `load_sweep_config` composes, to the last flag, whatever their overrides ask for."""

import os
import shutil
from dataclasses import dataclass, field
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, ListConfig, OmegaConf

from sweeper.config.composer import Composer, relocated

FILES = {
    "config": """
        defaults:
          - typed
          - _self_
          - model: small
          - head: ${model}_${data}
          - data: digits
          - data@extra: digits
          - optional tuning: null
        seed: 0
        name: ${model.name}-${hydra.job.num}
        started: ${now:%f}
        list: [1, 2]
        nested: {deep: {x: 1, y: [a, b]}, lr: "${typed.rate}"}
        here: {"a.b": 1}
        hydra:
          job:
            env_copy: [COMPOSED]
            config: {override_dirname: {exclude_keys: [seed], item_sep: ";"}}
          sweep: {subdir: "${hydra.job.override_dirname}"}
    """,
    "model/small": "{name: small, layers: {first: 8, second: 16}, rate: '${oc.env:COMPOSED}'}",
    "model/large": "{defaults: [/data@model.data: faces], name: large, layers: {first: 64}}",
    "head/small_digits": "{size: 10}",
    "head/small_faces": "{size: 8}",
    "head/large_digits": "{size: 100}",
    "head/large_faces": "{size: 80}",
    "data/digits": "{classes: 10, folder: null}",
    "data/faces": "{classes: 8, folder: '???'}",
    "tuning/wide": "# @package _global_\nseed: 7\ntyped: {rate: 0.5}\n",
    "hydra/job_logging/quiet": "{version: 1, root: {level: ERROR}}",
}
VALUES = [
    ["seed=1"],
    ["seed=1", "seed=2"],
    ["seed=null", "list=[]", "nested.deep={}"],
    ["list=[3,{a: 1},'x y']", "list.0=5"],
    ["nested.deep={x: 2}", "+nested.deep={z: 3}"],
    ["+nested.deep.z=3", "+new=1", "+other.new.key=[1]", "+brand={a: {b: 1}}"],
    ["++seed=1", "++fresh=1"],
    ["~here", "~nested.deep.x=1", "~list"],
    ["name='a,b'", '+quoted="it\'s"', "+spaced='  '", "+empty=", "+text=1e-3", "+string='1e-3'"],
    ["nested.deep.y=[${seed},${nested.deep.x}]", "+sum='${seed} and ${model.name}'"],
    ["+where=${hydra:job.num}", "+also=${now:%f}"],
    ["typed.rate=1e-3", "typed.sizes=[1,2]", "typed.child.name=x", "typed.by.a=1"],
    ["model.layers.first=32", "data.folder=/tmp/x", "+data.more=1", "~model.rate"],
    ["model={name: mine}", "+data={more: 1}"],
    ["++started=later", "seed=int(3.7)", "+number=float(1)"],
]
GROUPS = [
    ["model=large"],
    ["model=large", "data=faces", "data.folder=x", "seed=3"],
    ["seed=3", "data=faces", "model.layers.first=2"],
    ["data@extra=faces"],
    ["+data@more.place=faces", "+more.place.classes_too=1"],
    ["~data@extra", "seed=1"],
    ["tuning=wide", "typed.rate=2"],
    ["+tuning@nested.plan=wide", "seed=3"],
    ["model=small", "model=large"],
]
HYDRAS = [
    ["hydra.job.name=mine", "seed=1"],
    ["hydra/job_logging=quiet"],
    ["+hydra.job.env_set.A=b"],
    ["hydra.runtime.cwd=/"],
    ["hydra={job: {name: mine}}"],
]
MISTAKES = [
    ["sead=1"],
    ["+seed=1"],
    ["~nothing"],
    ["~seed=5"],
    ["seed=1,2"],
    ["seed=range(3)"],
    ["typed.rate=high"],
    ["typed.size=1"],
    ["model=missing"],
    ["seed@extra=1"],
    ["++model=large"],
    ["seed=[1"],
    ["data@nowhere=faces"],
    ["defaults=[]"],
    ["+tuning=wide"],
]


@dataclass
class Child:
    name: str | None = None


@dataclass
class Typed:
    rate: float = 0.1
    sizes: list[int] = field(default_factory=list)
    child: Child = field(default_factory=Child)
    by: dict[str, int] = field(default_factory=lambda: {"a": 0})


@pytest.fixture(scope="module")
def composed(tmp_path_factory):
    """What Hydra composes, and what we do, from overrides."""
    folder = tmp_path_factory.mktemp("conf")
    for name, text in FILES.items():
        path = folder / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(line.removeprefix("        ") for line in text.split("\n")))
    ConfigStore.instance().store(name="typed", node={"typed": Typed})
    with initialize_config_dir(str(folder), version_base="1.3"), pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPOSED", "0.25")
        hydra = GlobalHydra.instance().hydra
        typed = ["hydra.sweep.dir=sweep", "seed=5"]
        sweep = hydra.compose_config("config", typed, RunMode.MULTIRUN, with_log_configuration=False)
        str(sweep.started)  # what is resolved stays so in all trials
        composer = Composer(hydra.config_loader, sweep)
        yield composer, lambda overrides: hydra.config_loader.load_sweep_config(sweep, overrides)


def anatomy(node: Any) -> tuple:
    """All that a config has: types, flags, what is resolved already, values before any resolution."""
    inner = node._value()
    if isinstance(node, DictConfig) and isinstance(inner, dict):
        inner = [(key, anatomy(child)) for key, child in inner.items()]
    elif isinstance(node, ListConfig) and isinstance(inner, list):
        inner = [anatomy(child) for child in inner]
    return type(node), node._metadata, inner


@pytest.mark.parametrize("overrides", VALUES + GROUPS, ids=" ".join)
def test_a_trial_gets_what_hydra_composes_from_what_the_groups_came_to(composed, overrides):
    composer, hydras = composed
    assert composer._quickly(overrides) is not None
    for _ in range(2):  # the second one from what is kept
        ours, theirs = composer.compose(overrides), hydras(overrides)
        assert anatomy(ours) == anatomy(theirs)
        assert OmegaConf.to_yaml(ours) == OmegaConf.to_yaml(theirs)
        ours.hydra.job.name = "changed"  # the next one gets a copy


@pytest.mark.parametrize("overrides", HYDRAS, ids=" ".join)
def test_what_changes_hydras_own_node_is_left_to_hydra(composed, overrides):
    composer, hydras = composed
    assert composer._quickly(overrides) is None
    assert anatomy(composer.compose(overrides)) == anatomy(hydras(overrides))


@pytest.mark.parametrize("overrides", MISTAKES, ids=" ".join)
def test_hydra_itself_tells_what_it_has_against_an_override(composed, overrides):
    composer, hydras = composed
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        hydras(overrides)
    with pytest.raises(type(theirs.value)) as ours:
        composer.compose(overrides)
    assert str(ours.value) == str(theirs.value)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations([line for lines in VALUES + GROUPS for line in lines]), st.integers(1, 5))
def test_any_mixture_of_overrides_is_as_hydra_composes_it(composed, lines, count):
    composer, hydras = composed
    chosen = list(lines[:count])
    try:
        theirs = hydras(chosen)
    except Exception as error:
        with pytest.raises(type(error)):
            composer.compose(chosen)
    else:
        assert anatomy(composer.compose(chosen)) == anatomy(theirs)


def test_surroundings_that_changed_since_are_noted_as_hydra_notes_them(composed, tmp_path, monkeypatch):
    composer, hydras = composed
    composer.compose(["seed=1"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(os.environ, "COMPOSED", "0.75")
    ours = composer.compose(["seed=1"])
    assert anatomy(ours) == anatomy(hydras(["seed=1"]))
    assert (ours.hydra.runtime.cwd, ours.hydra.job.env_set.COMPOSED, ours.model.rate) == (str(tmp_path), "0.75", "0.75")


def test_without_a_private_part_of_hydra_hydra_composes(composed, monkeypatch):
    composer, hydras = composed
    monkeypatch.setattr(Composer, "_chooses", lambda *_: composer._loader.no_such_part())
    assert anatomy(composer.compose(["seed=1"])) == anatomy(hydras(["seed=1"]))


@pytest.fixture
def before_hydra():
    """As in a process where it has not begun."""
    begun = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    yield
    GlobalHydra.instance().hydra = begun


@pytest.mark.usefixtures("before_hydra")
def test_files_that_lie_elsewhere_than_where_the_sweep_began_are_found(tmp_path):
    project, there = tmp_path / "project", tmp_path / "node" / "copy"
    (project / "conf" / "model").mkdir(parents=True)
    (project / "conf" / "config.yaml").write_text("{defaults: [_self_, {model: small}], seed: 0}")
    (project / "conf" / "model" / "small.yaml").write_text("size: 1")
    (project / "conf" / "model" / "large.yaml").write_text("size: 9")
    with initialize_config_dir(str(project / "conf"), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        sweep = hydra.compose_config("config", [], RunMode.MULTIRUN, with_log_configuration=False)
        shutil.move(project, there)
        moved = relocated(hydra.config_loader, {str(project): str(there)})
        assert Composer(moved, sweep).compose(["model=large"]).model.size == 9
        assert moved.get_sources()[1].path == f"{there}/conf"
        assert relocated(hydra.config_loader, {}) is hydra.config_loader
        with pytest.raises(Exception, match="not found"):
            Composer(relocated(hydra.config_loader, {"/elsewhere": "/"}), sweep).compose(["model=large"])

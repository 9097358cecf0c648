"""What `hydra/launcher` means to a sweep, and what it is refused for."""

from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from sweeper.errors import ConfigError
from sweeper.slurm import launcher

from ..watched import X

pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="pip install 'sweeper[slurm]'")

LOCAL = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher"


@pytest.mark.parametrize(
    ("n_jobs", "n_trials", "most", "parallelism", "slots"),
    [
        (None, 20, 20, 256, 4),
        (None, 3, 3, 256, 1),
        (None, 5000, 5000, 256, 256),
        (None, 40, 10, None, 8),
        (None, 80, 10, None, 10),  # the members of a population
        (16, 20, 20, 256, 16),
        (16, 20, 20, 4, 4),
        (16, 3, 3, 256, 3),
    ],
)
def test_how_many_jobs_there_are_at_a_time(tmp_path, n_jobs, n_trials, most, parallelism, slots):
    node = {"_target_": LOCAL, "name": "app", "array_parallelism": parallelism, "submitit_folder": str(tmp_path / "%j")}
    settings = SimpleNamespace(
        n_jobs=n_jobs, n_trials=n_trials, executor=OmegaConf.create({"_target_": "sweeper.engine.local.LocalExecutor"})
    )
    made = launcher.executor(OmegaConf.create(node), settings, most)
    assert made.slots == slots
    assert list(tmp_path.iterdir()) == []  # nothing is written before the sweep begins


@pytest.mark.parametrize("target", ["hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher", "os.system"])
def test_another_launcher_is_refused_with_what_to_give_instead(target):
    with pytest.raises(ConfigError, match=r"is not used by hydra/sweeper=study.*give submitit_slurm.*executor=ray"):
        launcher.is_queue(OmegaConf.create({"_target_": target}))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["hydra.launcher.nodes=2"], "hydra.launcher.nodes=2: a trial is one process. Give 1."),
        (["hydra.launcher.tasks_per_node=4"], "hydra.launcher.tasks_per_node=4: a trial is one process. Give 1."),
        (["hydra.sweeper.executor._target_=sweeper.engine.other.Executor"], "Leave one of them out"),
        (["hydra.launcher.timeout_min=soon"], "hydra.launcher.timeout_min"),
        (["+hydra.launcher.colour=red"], "colour"),
    ],
)
def test_a_key_that_no_trial_can_have_ends_with_one_sentence_and_no_sweep(sweep, tmp_path, arguments, complaint):
    before = set(tmp_path.iterdir())
    code, output = sweep(X, "hydra/launcher=submitit_local", *arguments)
    assert code != 0
    assert complaint in output
    assert "Traceback" not in output
    assert not [path for path in set(tmp_path.iterdir()) - before if path.name == "sweep"]

"""What somebody reads who has mistyped a command line."""

import subprocess
import sys
from functools import partial

import pytest
from hydra.errors import MissingConfigException

from sweeper.config import refused
from sweeper.config.compose import composed, of_sweep
from sweeper.errors import ConfigError
from sweeper.records import sweeps
from sweeper.search import space


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("trainer.epoch=3", "trainer.epoch: there is no such key. Do you mean trainer.epochs? trainer has epochs, "),
        ("modle=alexnet", "modle: there is no such key. Do you mean model? The config has model, dataset, "),
        ("lr=3", "lr: there is no such key. Do you mean hparams.lr? The config has "),
        (
            "model.filtres=4",
            "model.filtres: there is no such key. Do you mean model.filters? model has filters, blocks, ",
        ),
        ("trainer.epochs.x=3", "trainer.epochs.x: there is no such key. trainer.epochs has none."),
        ("dataset=digit", "there is no such option. Do you mean digits? Choose from cifar10, digits, ferplus, folder."),
        ("model=nope", "model=nope: there is no such option. Choose from alexnet, custom, "),
        ("lr=[", "lr=[ cannot be read: "),
        ("hparams.lr=1,2", "hparams.lr=1,2: several values are a search. Put -m in front of it, or give one."),
        ("hydra.job.num=abc", "Value 'abc' of type 'str' could not be converted to Integer"),
    ],
)
def test_a_mistake_is_one_paragraph_with_what_to_type(typed, told):
    with pytest.raises(ConfigError) as error:
        composed([typed])
    assert told in str(error.value)
    assert "\n" not in str(error.value)
    assert "append" not in str(error.value)


def test_an_option_that_an_extra_brings_names_it():
    lacking = MissingConfigException("not found", "hydra/launcher/submitit_slurm", options=["basic"])
    told = "there is no such option. It comes with pip install 'sweeper[slurm]'. Choose from basic."
    assert str(refused.as_ours(lacking)) == f"hydra/launcher=submitit_slurm: {told}"


def test_of_a_sweep_too():
    with pytest.raises(ConfigError, match=r"Do you mean hydra\.sweeper\.n_trials\?"):
        of_sweep(["hydra.sweeper.n_trial=3"])


def ran(cwd, *arguments):
    command = [sys.executable, "-m", "sweeper", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


def test_python_m_sweeper_says_it_in_the_same_words_and_leaves_nothing(tmp_path):
    code, said = ran(tmp_path, "trainer.epoch=3")
    assert code == 2
    assert said.startswith("\ntrainer.epoch: there is no such key. Do you mean trainer.epochs?")
    assert said.count("\n") == 2
    assert not list(tmp_path.iterdir())


def test_who_wants_all_gets_hydras_traceback(tmp_path, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    _, said = ran(tmp_path, "trainer.epoch=3")
    assert "Traceback" in said
    assert "ConfigCompositionException" in said


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (("model=custom,alexnet", "model.filters=8,16"), "model.filters: there is no such key with model=alexnet."),
        (("model=custom,nope",), "model=nope: there is no such option."),
        (("trainer.epoch=1,2",), "Do you mean trainer.epochs?"),
    ],
)
def test_each_option_of_a_search_is_composed_with_all_that_was_typed(typed, told):
    context, config = of_sweep(typed)
    compose = partial(context.config_loader.load_sweep_config, config)
    with pytest.raises(ConfigError) as error:
        space.check(space.build(typed, None, None, context.config_loader, compose), compose)
    assert told in str(error.value)


def test_a_sweep_whose_options_do_not_take_what_was_typed_leaves_no_folder(tmp_path):
    code, said = ran(tmp_path, "-m", "model=custom,alexnet", "hparams=search", "model.filters=4")
    assert code == 2
    assert said == (
        "\nmodel.filters: there is no such key with model=alexnet. model has width, kernel, stride, dropout. "
        "Leave out model.filters, or model=alexnet.\n"
    )
    assert not (tmp_path / "multirun").exists()


def test_a_training_with_a_value_that_cannot_be_is_not_the_latest_afterwards(tmp_path):
    code, said = ran(tmp_path, "hparams.lr=abc")
    assert code == 2
    assert said == "\nhparams.lr=abc: give a number from 0.\n"
    assert sweeps.all(tmp_path) == []

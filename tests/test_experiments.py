"""Every experiment composes from the command that it opens with. A new file joins by existing."""

import re
from pathlib import Path

import pytest

from sweeper.config.compose import composed
from sweeper.training.instances import make
from sweeper.training.rates import Rates

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "conf" / "experiment").glob("*.yaml"))


def command(file):
    """The overrides of the command in a file's second line."""
    _, line = file.read_text().splitlines()[:2]
    assert line.startswith("# python -m sweeper ")
    return re.sub(r" -m | hparams=search", " ", line.removeprefix("# python -m sweeper")).split()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_experiment_composes_from_its_own_command(file):
    overrides = command(file)
    assert overrides[0] == f"+experiment={file.stem}"
    cfg = composed(overrides)
    assert cfg.dataset._target_.split(".")[-2] == ("ferplus" if "ferplus" in file.stem else "cifar10")
    trainer = make(cfg, "trainer")
    assert trainer.epochs >= 5
    make(cfg, "augment")
    make(cfg, "optimizer", learning_rate=Rates(make(cfg, "schedule", steps=100).rates))


@pytest.mark.parametrize(("name", "shape", "classes"), [("cifar10", (32, 32, 3), 10), ("ferplus", (48, 48, 1), 8)])
def test_our_best_recipes_have_at_most_310000_parameters(name, shape, classes):
    cfg = composed([f"+experiment={name}"])
    assert make(cfg, "model", input_shape=shape, num_classes=classes).count_params() <= 310_000


def test_the_notes_recipes_are_the_notes():
    custom, augmented, ferplus, alexnet = (
        composed([f"+experiment=notes_{name}"]) for name in ("custom", "augmented", "ferplus", "alexnet")
    )
    for cfg in (custom, augmented, ferplus):
        trainer = make(cfg, "trainer")
        assert (trainer.batch_size, trainer.patience, trainer.patience_metric) == (64, 4, "val_loss")
        assert make(cfg, "optimizer", learning_rate=0.1).l2 == 1e-4
    assert (alexnet.trainer.epochs, alexnet.trainer.batch_size) == (5, 64)
    assert make(alexnet, "optimizer", learning_rate=0.1).l2 == 0
    assert ferplus.dataset.target == "distribution"
    as_in_the_notes = {"_target_": "sweeper.training.augment.notes", "rotation": 15, "shift": 0.1, "flip": True}
    assert augmented.augment == ferplus.augment == as_in_the_notes
    assert custom.augment == {"_target_": "sweeper.training.augment.none"}

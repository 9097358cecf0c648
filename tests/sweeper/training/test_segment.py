"""A segment of a population goes on exactly where its parent ended, with hyperparameters of its own."""

import keras
import numpy as np
import pytest

from sweeper.config.compose import composed
from sweeper.errors import ConfigError, DataError
from sweeper.records import lineage
from sweeper.training import checkpoint, trial

SMALL = ["dataset.train_size=200", "model.filters=4", "trainer.epochs=4"]
RECIPES = [
    ["optimizer=adamw", "schedule=cosine", "augment=strong"],
    ["optimizer=sgd", "schedule=plateau", "schedule.patience=1", "trainer.ema=0.9"],
    ["optimizer=schedule_free", "schedule=constant"],
    ["optimizer=muon", "schedule=one_cycle", "trainer.label_smoothing=0.1", "trainer.class_weights=balanced"],
    ["optimizer=adam", "schedule=constant", "trainer.precision=mixed_float16"],
]


def trained(folder, member, segment, parent, *overrides, kept=None):
    """The result of a segment of two epochs in `folder`, and the metrics of each by its number."""
    place = [f"lineage.member={member}", f"lineage.segment={segment}", f"lineage.parent={parent}"]
    heard = {}
    cfg = composed([*SMALL, "+evolution=pbt", "evolution.every=2", *place, *overrides])
    result = trial.run(
        cfg, lambda epoch, _, metrics: heard.update({epoch: metrics}), folder / f"{member}{segment}", kept, sweep=folder
    )
    return result, heard


def state(folder, member=0, segment=1):
    return checkpoint.read(lineage.state(folder, member, segment))


@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(recipe, id=recipe[0], marks=pytest.mark.slow if place else ())
        for place, recipe in enumerate(RECIPES)
    ],
)
def test_a_life_in_segments_is_the_life_that_was_never_cut(recipe, tmp_path):
    whole = {}
    cfg = composed([*SMALL, *recipe])
    trial.run(cfg, lambda epoch, _, metrics: whole.update({epoch: metrics}), tmp_path / "whole")
    _, first = trained(tmp_path, 0, 1, "null", *recipe)
    result, second = trained(tmp_path, 0, 2, 0, *recipe)
    assert list(first) == [1, 2]
    assert list(second) == [3, 4]
    assert first | second == whole
    assert result.facts["epochs"] == 4
    assert result.facts["best_epoch"] in (3, 4)
    assert result.facts[lineage.SCORE] == whole[4]["val_accuracy"]


@pytest.mark.slow
def test_hyperparameters_are_those_of_the_segment_and_not_of_the_state_it_goes_on_from(tmp_path):
    kept = {}  # in the same process, where both share a traced program
    trained(tmp_path, 0, 1, "null", "hparams.lr=1e-2", "hparams.weight_decay=0.1", "hparams.dropout=0.1", kept=kept)
    _, still = trained(tmp_path, 1, 2, 0, "trainer.epochs=6", "hparams.lr=0", kept=kept)
    assert {metrics["learning_rate"] for metrics in still.values()} == {0.0}
    weights = [value for value in state(tmp_path, 1, 2).network if value.dtype == np.float32]
    before = [value for value in state(tmp_path).network if value.dtype == np.float32]
    moved = sum(not np.array_equal(*pair) for pair in zip(weights, before, strict=True))
    batch_norms = sum(value.ndim == 1 for value in before)
    assert moved <= batch_norms  # moving means know no learning rate
    assert all(np.array_equal(*pair) for pair in zip(weights, before, strict=True) if pair[0].ndim > 1)

    sizes = {}
    for member, decay in ((2, 0.0), (3, 100.0)):
        trained(tmp_path, member, 2, 0, "trainer.epochs=6", f"hparams.weight_decay={decay}", kept=kept)
        sizes[decay] = sum(np.abs(value).sum() for value in state(tmp_path, member, 2).network if value.ndim > 1)
    assert sizes[100.0] < 0.5 * sizes[0.0]
    losses = [
        trained(tmp_path, member, 2, 0, f"hparams.dropout={rate}", kept=kept)[1][3]["loss"]
        for member, rate in ((4, 0.1), (5, 0.9))
    ]
    assert losses[1] > 1.5 * losses[0]


@pytest.mark.slow
def test_a_copy_goes_on_like_the_member_that_it_was_copied_from(tmp_path):
    trained(tmp_path, 0, 1, "null")
    _, own = trained(tmp_path, 0, 2, 0)
    _, copy = trained(tmp_path, 7, 2, 0)
    assert own == copy


@pytest.mark.slow
def test_a_segment_that_was_broken_off_goes_on_after_its_last_epoch(tmp_path):
    trained(tmp_path, 0, 1, "null")
    _, whole = trained(tmp_path, 0, 2, 0)
    heard = []

    def report(epoch, value, metrics):
        heard.append(epoch)
        if epoch == 4:
            raise KeyboardInterrupt
        return False

    place = ["lineage.member=1", "lineage.segment=2", "lineage.parent=0", "trainer.checkpoint=0"]
    cfg = composed([*SMALL, "+evolution=pbt", "evolution.every=2", *place])
    with pytest.raises(KeyboardInterrupt):
        trial.run(cfg, report, tmp_path / "12", sweep=tmp_path)
    again = {}
    trial.run(cfg, lambda epoch, _, metrics: again.update({epoch: metrics}), tmp_path / "12", sweep=tmp_path)
    assert heard == [3, 4]
    assert again == whole


def test_the_last_segment_leaves_no_state(tmp_path):
    trained(tmp_path, 0, 1, "null")
    trained(tmp_path, 0, 2, 0)
    assert [path.name for path in (tmp_path / lineage.FOLDER).iterdir()] == ["0-1"]
    assert keras.models.load_model(tmp_path / "02" / "model.keras").count_params() > 0


def test_a_parent_of_another_shape_is_refused(tmp_path, caplog):
    trained(tmp_path, 0, 1, "null", "model.filters=6")
    with pytest.raises(ConfigError, match="segment 2 of member 1 cannot go on from member 0, whose network"):
        trained(tmp_path, 1, 2, 0)
    assert "starts anew" not in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "word"), [("trainer.batch_size", "${hparams.batch}"), ("seed", "${hparams.batch}")], ids=["batch", "seed"]
)
def test_a_parent_that_stands_elsewhere_in_the_data_is_refused(key, word, tmp_path):
    trained(tmp_path, 0, 1, "null", "+hparams.batch=32", f"{key}={word}")
    with pytest.raises(ConfigError, match=f"member 1 cannot go on from member 0, whose {key} was 32 and not 40"):
        trained(tmp_path, 1, 2, 0, "+hparams.batch=40", f"{key}={word}")


def test_a_parent_that_is_gone_is_told(tmp_path):
    with pytest.raises(DataError, match="member 3 of the population ended its segment 1 in is not there"):
        trained(tmp_path, 0, 2, 3)


def test_without_a_sweep_nothing_evolves(tmp_path):
    with pytest.raises(ConfigError, match="a way to search, not to train once"):
        trial.run(composed([*SMALL, "+evolution=pbt"]), folder=tmp_path)

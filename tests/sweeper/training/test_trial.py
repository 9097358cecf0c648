import cv2
import keras
import numpy as np
import pytest
from omegaconf import OmegaConf

from sweeper.config.compose import composed
from sweeper.datasets import digits
from sweeper.errors import ConfigError
from sweeper.files import card
from sweeper.training import pipeline, trial
from sweeper.training.trainer import METRICS

DIGITS = ["dataset=digits", "dataset.train_size=200"]


def config(*overrides, dataset=DIGITS):
    return composed([*dataset, "model.filters=4", "trainer.epochs=2", *overrides])


def told(result):
    """All but what is another time each time."""
    return result.values, {name: fact for name, fact in result.facts.items() if name != "train_seconds"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trial") / "0"
    return trial.run(config(), folder=folder), folder


def test_the_result_is_the_best_epochs_metric(trained):
    result, _ = trained
    assert result.value == result.facts["val_accuracy"]
    assert result.facts["epochs"] == 2
    assert result.facts["best_epoch"] in (1, 2)
    assert set(METRICS) < set(result.facts)


def test_the_saved_network_has_the_value_that_the_trial_reported(trained):
    result, folder = trained
    net = keras.models.load_model(folder / "model.keras")
    data = digits.load(seed=0, train_size=200)
    net.compile(loss="categorical_crossentropy", metrics=["accuracy"])
    _, accuracy = net.evaluate(pipeline.evaluation(data.validation, data, 64), verbose=0)
    assert accuracy == pytest.approx(result.value)


def test_the_saved_network_holds_no_optimizer(trained):
    _, folder = trained
    assert not keras.models.load_model(folder / "model.keras").compiled


def test_the_card_tells_how_to_use_the_network(trained):
    result, folder = trained
    data = digits.load(seed=0, train_size=200)
    assert card.read(folder) == card.Card(
        model="custom",
        dataset="digits",
        classes=data.classes,
        input_shape=(8, 8, 1),
        mean=data.mean,
        std=data.std,
        metric="val_accuracy",
        value=result.value,
        parameters=result.facts["parameters"],
    )


def test_the_saved_config_is_resolved_and_trains_the_same_network(trained, tmp_path):
    result, folder = trained
    saved = OmegaConf.load(folder / "config.yaml")
    assert "${" not in (folder / "config.yaml").read_text()
    assert told(trial.run(saved, folder=tmp_path)) == told(result)


def test_another_seed_gives_another_result(trained, tmp_path):
    result, _ = trained
    assert trial.run(config("seed=1"), folder=tmp_path).facts["loss"] != result.facts["loss"]


def test_a_stopped_trial_tells_its_best_epoch_and_leaves_no_network(tmp_path):
    result = trial.run(config("trainer.epochs=50"), lambda epoch, value, metrics: epoch == 2, tmp_path)
    assert result.facts["epochs"] == 2
    assert result.value == result.facts["val_accuracy"]
    assert {path.name for path in tmp_path.iterdir()} == {"config.yaml", "origin.yaml"}


def test_a_config_key_without_a_value_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"dataset.images has no value.*Give it: dataset.images="):
        trial.run(config("dataset=ferplus"), folder=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "lr"),
    [
        ("adam", 0.01),
        ("adamw", 0.01),
        ("rmsprop", 0.003),
        ("sgd", 0.05),
        ("lion", 0.001),
        ("muon", 0.01),
        ("schedule_free", 0.01),
    ],
)
def test_every_optimizer_learns_the_digits(optimizer, lr, tmp_path):
    overrides = [f"optimizer={optimizer}", f"hparams.lr={lr}", "model.filters=8", "trainer.epochs=8"]
    result = trial.run(config(*overrides, dataset=["dataset=digits"]), folder=tmp_path)
    assert result.value > 0.9, result


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schedule", "last"), [("constant", 0.01), ("cosine", 0), ("one_cycle", 0), ("step", 1e-4), ("plateau", 0.01)]
)
def test_every_schedule_is_followed(schedule, last, tmp_path):
    result = trial.run(config(f"schedule={schedule}", "hparams.lr=0.01", "trainer.epochs=1"), folder=tmp_path)
    assert result.facts["learning_rate"] == pytest.approx(last, abs=1e-7)


def test_a_plateau_of_the_validation_loss_lowers_the_rate(tmp_path):
    """Steps so large that the validation loss soon rises."""
    rates = []

    def report(epoch, value, metrics):
        rates.append(metrics["learning_rate"])
        return False

    overrides = ["schedule=plateau", "schedule.patience=1", "optimizer=sgd", "hparams.lr=1", "trainer.epochs=8"]
    trial.run(config(*overrides), report, tmp_path)
    assert rates[0] == pytest.approx(1)
    assert rates[-1] < 0.6
    assert set(np.round(np.log2(rates), 6)) <= {0, -1, -2, -3, -4, -5, -6, -7}


def test_a_space_beside_the_keys_of_a_group_is_the_sweeps(trained, tmp_path):
    result, _ = trained
    searched = config("hparams=search", "+trainer.space={epochs: 'range(1, 9)'}")
    assert told(trial.run(searched, folder=tmp_path)) == told(result)


def test_augmentation_changes_the_training_and_not_the_network(trained, tmp_path):
    result, _ = trained
    augmented = trial.run(config("augment=light", "augment.flip=false"), folder=tmp_path)
    assert augmented.facts["loss"] != result.facts["loss"]
    assert augmented.facts["parameters"] == result.facts["parameters"]


def test_several_metrics_give_a_value_each_and_the_first_with_epochs_chooses_the_epoch(trained, tmp_path):
    one, _ = trained
    several = trial.run(config("optimized_metric=[parameters,mflops,latency_ms,val_accuracy]"), folder=tmp_path)
    assert several.value == several.values
    parameters, mflops, latency, accuracy = several.values
    assert (parameters, mflops, accuracy) == (one.facts["parameters"], one.facts["mflops"], one.value)
    assert latency > 0
    assert several.facts.keys() - one.facts.keys() == {"latency_ms"}
    assert card.read(tmp_path).metric == "val_accuracy"


def test_two_views_take_twice_the_operations_and_latency_can_be_measured_though_it_is_not_optimized(trained, tmp_path):
    one, _ = trained
    two = trial.run(config("trainer.views=2", "trainer.latency=true"), folder=tmp_path)
    assert two.facts["mflops"] == 2 * one.facts["mflops"]
    assert two.facts["latency_ms"] > 0
    assert "latency_ms" not in one.facts


def test_the_time_of_its_epochs_and_the_size_of_its_file_are_told(trained):
    result, folder = trained
    assert 0 < result.facts["train_seconds"] < 60
    assert result.facts["model_kb"] == (folder / "model.keras").stat().st_size / 1e3


def test_an_unknown_metric_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"optimized_metric=f1: .* loss, accuracy, val_loss, val_accuracy, param"):
        trial.run(config("optimized_metric=f1"))


def test_the_test_split_influences_nothing(tmp_path):
    """Two folders of images that differ in test/ alone."""
    results = []
    for garbage in (False, True):
        images = tmp_path / f"garbage-{garbage}"
        write_images(images, garbage)
        cfg = config("trainer.batch_size=8", dataset=["dataset=folder", f"dataset.path={images}", "dataset.channels=1"])
        results.append(trial.run(cfg, folder=tmp_path / "trial"))
    assert told(results[0]) == told(results[1])


def write_images(root, garbage_in_test):
    rng = np.random.default_rng(0)
    for split in ("train", "validation", "test"):
        for brightness, name in enumerate(("dark", "bright")):
            (root / split / name).mkdir(parents=True)
            for number in range(12):
                image = rng.integers(0, 100, (8, 8), np.uint8) + np.uint8(100 * brightness)
                if split == "test" and garbage_in_test:
                    image = np.full_like(image, 255)
                cv2.imwrite(str(root / split / name / f"{number}.png"), image)


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("hparams.lr=-1", r"hparams.lr=-1: give a number from 0"),
        ("hparams.lr=fast", r"hparams.lr=fast: give a number"),
        ("hparams.dropout=1", r"hparams.dropout=1: give a number from 0 to below 1"),
        ("hparams.weight_decay=-0.1", r"hparams.weight_decay=-0.1"),
        ("seed=-1", r"seed=-1: give a whole number"),
        ("model.filters=0", r"sweeper.models.custom.build refuses .*model.filters=0"),
        ("+model.depth=3", r"sweeper.models.custom.build refuses .*model.depth=3.*unexpected keyword"),
        ("+optimizer.speed=3", r"keras.optimizers.AdamW refuses .*optimizer.speed=3"),
        ("model._target_=sweeper.models.nowhere.build", r"sweeper.models.nowhere.build: it cannot be found"),
    ],
)
def test_a_value_that_cannot_train_is_refused_with_its_name(override, complaint, tmp_path):
    with pytest.raises(ConfigError, match=f"(?s){complaint}"):
        trial.run(config(override), folder=tmp_path)

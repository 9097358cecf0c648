import gc
import math

import keras
import numpy as np
import pytest
from tensorflow.python.framework.func_graph import FuncGraph

from sweeper.data import Dataset, Split
from sweeper.errors import ConfigError, Diverged
from sweeper.training import fit, pipeline
from sweeper.training.optimizer import ScheduleFreeAdamW
from sweeper.training.parts import Parts
from sweeper.training.program import Program
from sweeper.training.rates import Rates
from sweeper.training.trainer import PRECISIONS, Trainer
from sweeper.training.trial import never_stop

CLASSES = ("dark", "bright")


def dataset(labels):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 100, (64, 4, 4, 1)) + 100 * (np.arange(64) % 2).reshape(-1, 1, 1, 1)
    split = Split(images.astype(np.uint8), labels)
    return Dataset(split, split, split, CLASSES, mean=(100.0,), std=(50.0,))


HARD = dataset(np.arange(64) % 2)
SOFT = dataset(np.eye(2, dtype=np.float32)[np.arange(64) % 2] * 0.6 + 0.2)


def linear():
    inputs = keras.Input((4, 4, 1))
    outputs = keras.layers.Dense(2, activation="softmax", dtype="float32")(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, outputs)


def train(data=HARD, *, optimizer=None, metric="val_loss", report=never_stop, net=None, **trainer):
    trainer = Trainer(**{"epochs": 3, "batch_size": 16} | trainer)
    fit.reset(0, trainer.precision)
    batches = pipeline.batches(data, trainer, None, 0)
    net, optimizer, rates = net or linear(), optimizer or keras.optimizers.SGD(0.1), Rates(np.zeros(1, np.float32))
    program = Program(Parts(net, optimizer, rates, trainer), batches.steps)
    fitted = fit.fit(program, batches, trainer, metric, report)
    net.set_weights(fitted.weights)
    return fitted


def judged(net, data=HARD):
    """Loss and accuracy of a network on the validation images."""
    net.compile(loss="categorical_crossentropy", metrics=["accuracy"])
    return net.evaluate(pipeline.evaluation(data.validation, data, 16), verbose=0, return_dict=True)


class Listener:
    """Hears a training and stops it after an epoch."""

    def __init__(self, last=None):
        self.heard = []
        self.last = last

    def __call__(self, epoch, value, metrics):
        self.heard.append((epoch, value, metrics))
        return epoch == self.last


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epochs", 0),
        ("epochs", None),
        ("epochs", 2.5),
        ("batch_size", -1),
        ("patience", 0),
        ("steps_per_execution", 0),
        ("precision", "float64"),
        ("patience_metric", "f1"),
        ("ema", 1.0),
        ("label_smoothing", -0.1),
        ("label_smoothing", None),
        ("checkpoint", -1),
        ("class_weights", "heavy"),
        ("views", 3),
        ("jit_compile", "maybe"),
    ],
)
def test_a_trainer_that_cannot_train_is_refused(key, value):
    with pytest.raises(ConfigError, match=f"trainer.{key}={value}"):
        Trainer(**{"epochs": 1, "batch_size": 1, key: value})


@pytest.mark.parametrize("data", [HARD, SOFT], ids=["class numbers", "distributions"])
def test_every_epoch_reports_its_metrics(data):
    listener = Listener()
    train(data, report=listener)
    assert [epoch for epoch, _, _ in listener.heard] == [1, 2, 3]
    for _, value, metrics in listener.heard:
        assert set(metrics) == {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}
        assert value == metrics["val_loss"]
        assert metrics["learning_rate"] == pytest.approx(0.1)
    assert listener.heard[-1][2]["val_accuracy"] == 1.0


def test_the_loss_of_distributions_is_their_cross_entropy():
    net = linear()
    fitted = train(SOFT, net=net)
    images = (SOFT.validation.images - np.float32(100)) / np.float32(50)
    expected = -(SOFT.validation.labels * np.log(net(images).numpy())).sum(axis=1).mean()
    assert fitted.metrics["val_loss"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("metric", "best"), [("val_loss", min), ("val_accuracy", max)])
def test_the_best_epoch_is_kept_with_its_weights(metric, best):
    """A rate that grows from good to absurd makes a middle epoch the best."""
    rates = keras.optimizers.schedules.PiecewiseConstantDecay([8], [0.1, 30.0])
    listener, net = Listener(), linear()
    fitted = train(optimizer=keras.optimizers.SGD(rates), metric=metric, report=listener, net=net, epochs=4)
    values = [value for _, value, _ in listener.heard]
    assert fitted.value == fitted.metrics[metric] == best(values)
    assert fitted.best_epoch == values.index(best(values)) + 1 < fitted.epochs == 4
    assert judged(net)[metric[4:]] == pytest.approx(fitted.value, rel=1e-5)


def test_a_report_stops_the_training():
    listener = Listener(last=2)
    assert train(report=listener, epochs=50).epochs == len(listener.heard) == 2


def test_patience_stops_epochs_after_the_best():
    """A rate of zero never gets better than its first epoch."""
    fitted = train(optimizer=keras.optimizers.SGD(0.0), epochs=50, patience=3)
    assert (fitted.best_epoch, fitted.epochs) == (1, 4)


def test_patience_may_watch_another_metric():
    """The loss falls on while the accuracy has long been 1."""
    fitted = train(epochs=9, patience=2, patience_metric="val_accuracy")
    assert fitted.epochs < fitted.best_epoch + 2 < 9
    assert train(epochs=9, patience=2, patience_metric="val_loss").epochs == 9


def test_an_average_of_the_weights_is_judged_and_kept_while_training_goes_on():
    """It lags behind, and so is worse early on; the training loss shows that training does not know of it."""
    plain, averaged = Listener(), Listener()
    train(report=plain, epochs=5)
    fit.reset(0, "float32")
    net = linear()  # with the first one's weights
    fitted = train(report=averaged, epochs=5, ema=0.9, net=net)
    for (_, _, one), (_, _, other) in zip(plain.heard, averaged.heard, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-5)
        assert other["val_loss"] > one["val_loss"]
    assert judged(net)["loss"] == pytest.approx(fitted.value, rel=1e-5)


@pytest.mark.parametrize("averaging", ["ema", "schedule_free"])
def test_batch_norm_knows_the_averaged_weights(averaging):
    """A training too fast for an average: the trained weights' statistics are far from its own."""
    inputs = keras.Input((4, 4, 1))
    x = keras.layers.Conv2D(4, 3, kernel_initializer="he_normal")(inputs)
    x = keras.layers.BatchNormalization(momentum=0.9)(keras.layers.Dense(4, activation="relu")(x))
    net = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(x)))
    if averaging == "ema":
        fitted = train(net=net, optimizer=keras.optimizers.Adam(0.3), ema=0.9, epochs=8)
    else:
        fitted = train(net=net, optimizer=ScheduleFreeAdamW(0.3), epochs=8)
    assert judged(net)["loss"] == pytest.approx(fitted.value, rel=1e-5)
    features = keras.Model(net.inputs, net.layers[-4].output)
    images = (HARD.train.images - np.float32(100)) / np.float32(50)
    seen = features(images).numpy()
    norm = net.layers[-3]
    np.testing.assert_allclose(norm.moving_mean, seen.mean(axis=(0, 1, 2)), rtol=0.1, atol=0.1)


@pytest.mark.parametrize("momentum", [0.0, 0.9, 0.99])
def test_batch_norm_forgets_the_trained_weights_whatever_its_momentum(momentum):
    inputs = keras.Input((4, 4, 1))
    x = keras.layers.BatchNormalization(momentum=momentum, name="norm")(inputs)
    net = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(x)))
    net.get_layer("norm").moving_mean.assign([1000.0])
    train(net=net, optimizer=keras.optimizers.SGD(0.0), ema=0.9, epochs=1)
    assert abs(net.get_layer("norm").moving_mean.numpy()[0]) < 1000 * 0.03 + 1


def test_two_kinds_of_averages_at_once_are_refused():
    with pytest.raises(ConfigError, match=r"trainer.ema=0.9: this optimizer averages its weights itself"):
        train(optimizer=ScheduleFreeAdamW(0.1), ema=0.9)


def test_class_weights_make_a_rare_class_count():
    """One in eight is bright, and both look alike: unweighted, dark is the answer."""
    labels = (np.arange(64) % 8 == 0).astype(np.int64)
    split = Split(np.full((64, 4, 4, 1), 150, np.uint8), labels)
    data = Dataset(split, split, split, CLASSES, mean=(100.0,), std=(50.0,))
    shares = []
    for weights in (None, "balanced"):
        net = linear()
        train(data, net=net, optimizer=keras.optimizers.SGD(0.01), epochs=60, class_weights=weights)
        (answer,) = net(np.ones((1, 4, 4, 1))).numpy()  # 150 is one standard deviation above the mean
        shares.append(float(answer[1]))
    assert shares == pytest.approx([1 / 8, 1 / 2], abs=0.05)


def test_divergence_stops_in_the_step_and_names_the_epoch():
    optimizer = keras.optimizers.SGD(0.1)

    def break_the_rate(epoch, value, metrics):
        optimizer.learning_rate = math.nan
        return False

    with pytest.raises(Diverged, match=r"loss became nan in epoch 2\."):
        train(optimizer=optimizer, report=break_the_rate)
    assert int(optimizer.iterations) == 4 + 2  # the first step of NaN breaks the weights, the second one shows it


def test_biases_and_batch_norm_are_not_decayed():
    inputs = keras.Input((4, 4, 1))
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(2, 3, bias_initializer="ones")(inputs))
    net = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(x)))
    before = [weight.numpy() for weight in net.trainable_variables]
    decay_alone = keras.optimizers.AdamW(1e-9, weight_decay=1e6)
    train(net=net, optimizer=decay_alone, epochs=1)
    for old, variable in zip(before, net.trainable_variables, strict=True):
        assert np.allclose(old, variable.numpy(), atol=1e-6) == (old.ndim == 1), variable.path


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_precision_trains(precision):
    assert train(precision=precision).metrics["val_accuracy"] == 1.0


@pytest.mark.parametrize("steps_per_execution", [2, 3, 100])
def test_steps_per_execution_change_no_result(steps_per_execution):
    """An epoch has 4 steps."""
    optimizer = keras.optimizers.SGD(0.1)
    fitted = train(optimizer=optimizer, steps_per_execution=steps_per_execution)
    assert fitted.value == pytest.approx(train().value, rel=1e-5)
    assert int(optimizer.iterations) == 3 * 4


def test_a_training_leaves_no_graph_behind():
    """A graph that leaks holds all weights that it was traced with."""
    before = count_graphs()
    train()
    assert count_graphs() == before


def count_graphs():
    gc.collect()
    return sum(type(thing) is FuncGraph for thing in gc.get_objects())

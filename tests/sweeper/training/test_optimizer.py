"""Our own optimizers against what their sources say, on variables small enough to calculate by hand."""

from pathlib import Path

import keras
import numpy as np
import pytest

import sweeper
from sweeper.config.compose import composed
from sweeper.training.instances import make
from sweeper.training.optimizer import Adam, Muon, ScheduleFreeAdamW

STEMS = sorted(file.stem for file in (Path(sweeper.__file__).parent.parent / "conf" / "optimizer").glob("*.yaml"))


def variable(*shape, name="kernel", seed=0):
    values = np.random.default_rng(seed).normal(size=shape).astype("float32")
    return keras.Variable(values, name=name)


def network(**keys):
    inputs = keras.Input((4, 4, 1))
    x = keras.layers.Flatten()(keras.layers.Conv2D(2, 3, bias_initializer="ones", **keys)(inputs))
    return keras.Model(inputs, keras.layers.Dense(2, activation="softmax", **keys)(x))


def fitted(net, optimizer):
    net.compile(optimizer, loss="categorical_crossentropy")
    images = np.random.default_rng(0).normal(size=(32, 4, 4, 1)).astype("float32")
    net.fit(images, np.eye(2)[np.arange(32) % 2], batch_size=8, epochs=3, shuffle=False, verbose=0)
    return net.get_weights()


def stepped(stem, times, longest):
    """A hidden kernel and the classifier after three steps, the first with gradients that many times as long."""
    variables = variable(4, 6, name="hidden"), variable(6, 3, name="last")
    cfg = composed([f"optimizer={stem}", f"optimizer.global_clipnorm={longest}", "hparams.weight_decay=0"])
    optimizer = make(cfg, "optimizer", learning_rate=0.01)
    optimizer.build(variables)
    for seed, scale in ((1, times), (2, 1), (3, 1)):
        optimizer.apply([scale * variable(*one.shape, seed=seed).value for one in variables])
    return np.concatenate([one.numpy().ravel() for one in variables])


@pytest.mark.parametrize("stem", STEMS)
def test_a_gradient_longer_than_global_clipnorm_counts_as_one_of_that_length(stem):
    np.testing.assert_allclose(stepped(stem, 100, longest=1), stepped(stem, 1, longest=1), atol=1e-6)
    assert np.abs(stepped(stem, 100, longest="null") - stepped(stem, 1, longest="null")).max() > 1e-4


def test_adams_penalty_is_that_of_a_kernel_regularizer():
    keras.utils.set_random_seed(0)
    regularized = network(kernel_regularizer=keras.regularizers.L2(0.1))
    plain = network()
    plain.set_weights(regularized.get_weights())
    ours = Adam(0.01, l2=0.1)
    ours.exclude_from_weight_decay([weight for weight in plain.trainable_variables if len(weight.shape) < 2])
    for one, other in zip(fitted(regularized, keras.optimizers.Adam(0.01)), fitted(plain, ours), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_muon_makes_the_step_of_a_convolution_an_orthogonal_matrix():
    kernel, classifier = variable(3, 3, 8, 16), variable(16, 10, name="last")
    before = kernel.numpy()
    optimizer = Muon(0.1, weight_decay=0.0)
    optimizer.build([kernel, classifier])
    optimizer.apply([variable(3, 3, 8, 16, seed=2).value, variable(16, 10, seed=3).value])
    step = (before - kernel.numpy()).reshape(3 * 3 * 8, 16)
    sizes = np.linalg.svd(step, compute_uv=False)
    assert sizes.max() < 2 * sizes.min()  # five Newton-Schulz steps leave singular values from 0.7 to 1.2


def test_muon_moves_biases_depthwise_kernels_and_the_classifier_as_adam():
    bias, depthwise, kernel, classifier = (
        variable(8, name="bias"),
        variable(3, 3, 8, 1, name="depthwise_kernel"),
        variable(8, 8),
        variable(8, 4, name="last"),
    )
    optimizer = Muon(0.1)
    optimizer.build([bias, depthwise, kernel, classifier])
    assert all(map(optimizer._should_use_adamw, (bias, depthwise, classifier)))
    assert not optimizer._should_use_adamw(kernel)


def walked(weight_decay, steps, slope=lambda y: 0.0):
    """Path z, point y and average x after so many steps from 1."""
    y = keras.Variable(1.0)
    optimizer = ScheduleFreeAdamW(0.01, weight_decay=weight_decay)
    optimizer.build([y])
    for _ in range(steps):
        optimizer.apply([keras.ops.convert_to_tensor(slope(float(y)), "float32")])
    z = float(optimizer._momentums[0])
    last = float(y)
    optimizer.finalize_variable_values([y])
    return z, last, float(y)


def test_schedule_free_averages_its_path():
    """With the gradients of a valley about 0.3, all three come to rest there, y between z and x."""
    z, y, x = walked(0.0, steps=1500, slope=lambda y: y - 0.3)
    assert y == pytest.approx(0.1 * z + 0.9 * x, abs=1e-5)
    assert x == pytest.approx(0.3, abs=0.05)


def test_schedule_free_decays_its_path_and_the_average_follows():
    """Nothing but decay: all fall, the path first and the average last."""
    z, y, x = walked(0.1, steps=1000)
    assert z < y < x < 1
    assert z < 0.4

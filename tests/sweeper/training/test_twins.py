import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from sweeper.training import fit, twins

CHANNELS_LAST = {"axis": 3, "momentum": 0.5, "epsilon": 0.1}
IMAGES = {"odd": (5, 7, 3, 4), "one": (1, 3, 3, 2), "one_place": (1, 1, 1, 3), "places": (6, 1, 1, 3)}


def test_dropout_drops_what_the_stock_layer_drops():
    fit.reset(3, "float32")
    ones, stock = np.ones((4, 50), np.float32), layers.Dropout(0.3)
    variable, state = twins.Dropout(stock), stock.seed_generator.state.numpy()
    dropped = variable(ones, training=True)
    stock.seed_generator.state.assign(state)
    np.testing.assert_allclose(dropped, stock(ones, training=True), rtol=1e-6)
    variable.chance.assign(0.9)
    assert np.mean(variable(ones, training=True).numpy() == 0) == pytest.approx(0.9, abs=0.1)


def norms(shape, dtype="float32", **keys):
    """A stock layer, and the twin of another one like it with other values than the ones they begin with."""
    pair = [layers.BatchNormalization(dtype=dtype, name="norm", **keys) for _ in range(2)]
    for norm in pair:
        norm.build(shape)
        for number, variable in enumerate(norm.variables):
            variable.assign(np.linspace(0.5, 1.5 + number, shape[-1]))
    stock, other = pair
    assert twins.is_fused(other)
    return stock, other, twins.BatchNormalization(other)


def trained(norm, images, stock):
    """Outputs, and gradients of something that depends on each output in its own way."""
    variables = [variable.value for variable in stock.trainable_variables]
    weights = tf.reshape(tf.linspace(-1.0, 2.0, tf.size(images)), images.shape)
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = norm(images, training=True)
        loss = tf.reduce_sum(weights * tf.cast(outputs, tf.float32) ** 2)
    return [outputs, *tape.gradient(loss, [images, *variables])]


@pytest.mark.parametrize("shape", IMAGES.values(), ids=IMAGES)
@pytest.mark.parametrize("keys", [{}, {"scale": False}, {"center": False}, CHANNELS_LAST])
@pytest.mark.parametrize("compiled", [False, True])
def test_batch_norm_gives_the_outputs_gradients_and_statistics_of_the_stock_layer(shape, keys, compiled):
    images = tf.random.stateless_normal(shape, (0, 1)) * 3 + 1
    stock, other, twin = norms(shape, **keys)
    expected, got = (
        (tf.function(trained) if compiled else trained)(norm, images, layer)
        for norm, layer in ((stock, stock), (twin, other))
    )
    for one, another in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, another, rtol=1e-3, atol=1e-3)
    for one, another in zip(twin.variables, stock.variables, strict=True):
        np.testing.assert_allclose(one, another, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("dtype", "close"), [("mixed_bfloat16", 0.05), ("mixed_float16", 0.01)])
@pytest.mark.parametrize("channels", [4, 16])
def test_batch_norm_is_the_stock_layers_in_half_precision_but_for_rounding(dtype, close, channels):
    images = tf.random.stateless_normal((8, 6, 6, channels), (0, 1))
    stock, other, twin = norms(images.shape, dtype)
    expected, got = trained(stock, images, stock), trained(twin, images, other)
    assert [value.dtype for value in got] == [value.dtype for value in expected]
    for one, another in zip(got, expected, strict=True):
        np.testing.assert_allclose(*(tf.cast(value, tf.float32) for value in (one, another)), rtol=close, atol=close)
    for one, another in zip(twin.variables, stock.variables, strict=True):
        np.testing.assert_allclose(one, another, rtol=1e-2)


def test_batch_norm_answers_by_the_moving_statistics_and_leaves_them_alone():
    images = tf.random.stateless_normal((4, 3, 3, 2), (0, 1))
    stock, other, twin = norms(images.shape)
    before = [variable.numpy() for variable in other.variables]
    np.testing.assert_array_equal(twin(images), stock(images))
    np.testing.assert_array_equal(before, [variable.numpy() for variable in other.variables])


def test_batch_norm_of_vectors_is_the_stock_layers():
    vectors = tf.random.stateless_normal((6, 3), (0, 1))
    stock, _, twin = norms(vectors.shape)
    np.testing.assert_allclose(twin(vectors, training=True), stock(vectors, training=True), rtol=1e-6)


@pytest.mark.parametrize(
    "keys", [{"axis": 1}, {"renorm": True}, {"synchronized": True}, {"epsilon": 0}, {"trainable": False}]
)
def test_another_kind_of_batch_norm_has_no_twin(keys):
    assert not twins.is_fused(layers.BatchNormalization(**keys))


def test_a_users_own_batch_norm_has_no_twin():
    class Own(layers.BatchNormalization):
        pass

    assert not twins.is_fused(Own())


def test_what_holds_batch_norm_finds_it_in_its_twin():
    _, stock, twin = norms((1, 2, 2, 1))
    inputs = keras.Input((2, 2, 1))
    assert stock in keras.Model(inputs, twin(inputs))._flatten_layers()

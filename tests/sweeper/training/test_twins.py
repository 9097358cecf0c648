import numpy as np
import pytest
from keras import layers

from sweeper.training import fit, twins


def test_dropout_drops_what_the_stock_layer_drops():
    fit.reset(3, "float32")
    ones, stock = np.ones((4, 50), np.float32), layers.Dropout(0.3)
    variable, state = twins.Dropout(stock), stock.seed_generator.state.numpy()
    dropped = variable(ones, training=True)
    stock.seed_generator.state.assign(state)
    np.testing.assert_allclose(dropped, stock(ones, training=True), rtol=1e-6)
    variable.chance.assign(0.9)
    assert np.mean(variable(ones, training=True).numpy() == 0) == pytest.approx(0.9, abs=0.1)

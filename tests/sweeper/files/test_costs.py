import keras
import pytest
from keras import layers

from sweeper.files import costs


def dense(*widths):
    return keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), *map(layers.Dense, widths)])


def test_millions_of_operations_are_two_for_each_multiply_add():
    assert costs.mflops(dense(1000, 10)) == pytest.approx(2 * (16 * 1000 + 1000 * 10) / 1e6)


def test_a_network_a_thousand_times_as_large_answers_later():
    assert 0 < costs.latency(dense(10, 10)) < costs.latency(dense(4000, 4000, 4000))

import keras
import numpy as np
import pytest

from sweeper.training.parts import Parts
from sweeper.training.rates import Rates
from sweeper.training.trainer import Trainer


@pytest.mark.parametrize(
    ("steps", "wanted", "at_once"),
    [
        (100, 1, 1),
        (100, 10, 10),
        (17, 16, 17),
        (16, 17, 16),
        (17, 4, 1),
        (17, 8, 1),
        (97, 250, 97),
        (64, 3, 4),
        (10, 3, 2),
    ],
)
def test_a_program_does_near_as_many_steps_at_once_as_wanted_and_an_epoch_exactly(steps, wanted, at_once):
    net = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    trainer = Trainer(epochs=1, batch_size=1, steps_per_execution=wanted)
    parts = Parts(net, keras.optimizers.SGD(), Rates(np.zeros(1, np.float32)), trainer)
    assert parts.steps_at_once(steps) == at_once

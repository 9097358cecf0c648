"""The networks are the ones that their sources describe, down to the number of parameters."""

import pytest

from sweeper.models import alexnet, custom


@pytest.mark.parametrize(
    ("build", "shape", "parameters"),
    [
        (custom.build, (32, 32, 3), 309_290),
        (custom.build, (8, 8, 1), 289_514),
        (alexnet.build, (32, 32, 3), 24_773_386),
    ],
)
def test_networks_have_the_parameters_of_their_source(build, shape, parameters):
    assert build(shape, 10).count_params() == parameters


def test_custom_drops_less_in_earlier_blocks():
    rates = [layer.rate for layer in custom.build((32, 32, 3), 10, dropout=0.4).layers if "dropout" in layer.name]
    assert rates == pytest.approx([0.2, 0.3, 0.4])


def test_custom_normalizes_after_the_elu():
    kinds = [type(layer).__name__ for layer in custom.build((32, 32, 3), 10).layers]
    block = ["Conv2D", "BatchNormalization"] * 2 + ["MaxPooling2D", "Dropout"]
    assert kinds == ["InputLayer", *block * 3, "Flatten", "Dense"]


def test_alexnet_pools_after_its_first_second_third_and_fifth_convolution():
    kinds = [type(layer).__name__ for layer in alexnet.build((32, 32, 3), 10).layers]
    assert "".join(kind[0] for kind in kinds if kind in ("Conv2D", "MaxPooling2D")) == "CMCMCMCCM"

"""The networks are the ones that their sources describe, down to the number of parameters."""

import keras
import pytest

from sweeper.models import (
    alexnet,
    custom,
    densenet,
    hierarchy,
    inception,
    ownnet1,
    ownnet2,
    ownnet3,
    resnet,
    vgg16,
    xception,
)

CIFAR = (32, 32, 3)


@pytest.mark.parametrize(
    ("build", "shape", "keys", "parameters"),
    [
        (custom.build, CIFAR, {}, 309_290),
        (custom.build, (8, 8, 1), {}, 289_514),
        (alexnet.build, CIFAR, {}, 24_773_386),
        (ownnet1.build, CIFAR, {}, 1_505_804),
        (ownnet2.build, CIFAR, {}, 2_625_086),
        (ownnet3.build, CIFAR, {}, 1_230_846),
        (vgg16.build, CIFAR, {}, 943_322),
        (vgg16.build, CIFAR, {"width": 1.0}, 15_001_418),
        (inception.build, CIFAR, {}, 193_162),
        (resnet.build, CIFAR, {}, 274_042),
        (xception.build, CIFAR, {}, 244_490),
        (densenet.build, CIFAR, {}, 181_210),
        (hierarchy.build, CIFAR, {}, 289_834),
    ],
)
def test_networks_have_the_parameters_that_their_docstrings_tell(build, shape, keys, parameters):
    assert build(shape, 10, **keys).count_params() == parameters


def norm(channels):
    return 4 * channels


def conv(size, channels, filters):
    return size * size * channels * filters + filters


def dense(units, more):
    return units * more + more


# The notes' tables print the first ones; the others follow from the layers that they name.
NOTES = {
    ownnet1: [
        *(5790, 120, 115260, 240, 123008, 512, 147584, 512),
        *(conv(3, 128, 128), norm(128), conv(3, 128, 256), norm(256), conv(2, 256, 64), norm(64)),
        *(dense(64, 1024), norm(1024), dense(1024, 512), norm(512), dense(512, 10)),
    ],
    ownnet2: [
        *(30100, 400, 512080, 320, 737536, norm(256)),
        *(conv(5, 256, 128), norm(128), conv(4, 128, 128), norm(128), conv(3, 128, 64), norm(64)),
        *(conv(2, 64, 64), norm(64), dense(64, 512), norm(512), dense(512, 256), norm(256), dense(256, 10)),
    ],
    ownnet3: [
        *(2800, 400, 200080, 320, 368768, norm(128)),
        *(conv(5, 128, 96), norm(96), conv(4, 96, 64), norm(64), conv(3, 64, 58), norm(58), conv(2, 58, 42), norm(42)),
        *(dense(4 * 4 * 42, 256), norm(256), dense(256, 128), norm(128), dense(128, 10)),
    ],
}


@pytest.mark.parametrize("network", NOTES, ids=lambda network: network.__name__.split(".")[-1])
def test_the_notes_networks_have_the_notes_parameters_layer_by_layer(network):
    net = network.build(CIFAR, 10)
    assert [layer.count_params() for layer in net.layers if layer.weights] == NOTES[network]


def kinds(net, *wanted):
    """The first letters of the layers of these kinds, in their order."""
    return "".join(type(layer).__name__[0] for layer in net.layers if isinstance(layer, wanted))


def test_custom_drops_less_in_earlier_blocks():
    rates = [layer.rate for layer in custom.build(CIFAR, 10, dropout=0.4).layers if "dropout" in layer.name]
    assert rates == pytest.approx([0.2, 0.3, 0.4])


def test_custom_normalizes_after_the_elu():
    names = [type(layer).__name__ for layer in custom.build(CIFAR, 10).layers]
    block = ["Conv2D", "BatchNormalization"] * 2 + ["MaxPooling2D", "Dropout"]
    assert names == ["InputLayer", *block * 3, "Flatten", "Dense"]


@pytest.mark.parametrize(
    ("network", "order"),
    [
        (alexnet, "CMCMCMCCM"),
        (ownnet1, "CMCMCMCMCCMC"),
        (ownnet2, "CCMCMCMCCC"),
        (ownnet3, "CCMCMCMCCC"),
        (vgg16, "CCMCCMCCCMCCCMCCCM"),
    ],
)
def test_pools_stand_where_the_source_has_them(network, order):
    assert kinds(network.build(CIFAR, 10), keras.layers.Conv2D, keras.layers.MaxPooling2D) == order


def test_ownnet3_is_leaky_but_for_its_third_and_sixth_convolution_and_its_last_dense_layer():
    net = ownnet3.build(CIFAR, 10)
    assert kinds(net, keras.layers.ELU, keras.layers.LeakyReLU) == "LLELLELLE"
    slopes = [layer.negative_slope for layer in net.layers if isinstance(layer, keras.layers.LeakyReLU)]
    assert slopes == pytest.approx([0.01] * 6)


def test_ownnet2_begins_without_padding_at_stride_2():
    first = ownnet2.build(CIFAR, 10).layers[1]
    assert (first.padding, first.strides) == ("valid", (2, 2))
    assert first.output.shape == (None, 12, 12, 100)


@pytest.mark.parametrize(("network", "depths"), [(resnet, (8, 20, 32)), (densenet, (10, 22, 40))])
def test_depth_counts_the_layers_on_the_longest_way(network, depths):
    """Without the convolutions of shortcuts, which stand beside the way."""
    for depth in depths:
        layers = network.build(CIFAR, 10, depth=depth).layers
        shortcuts = 2 if network is resnet else 0
        weighted = [layer for layer in layers if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)]
        assert len(weighted) - shortcuts == depth


@pytest.mark.parametrize(("network", "depth"), [(resnet, 19), (resnet, 2), (densenet, 41), (densenet, 4)])
def test_a_depth_that_makes_no_whole_blocks_is_refused(network, depth):
    with pytest.raises(ValueError, match=f"model.depth={depth}: not 6 n"):
        network.build(CIFAR, 10, depth=depth)


def test_hierarchy_has_as_many_parameters_at_any_size():
    assert hierarchy.build((8, 8, 3), 10).count_params() == hierarchy.build((48, 48, 3), 10).count_params() == 289_834

"""What an architecture search draws: each argument changes what it says, and all that can be drawn can be built."""

import importlib
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import keras
import pytest
import yaml
from keras.layers import BatchNormalization, Conv2D, Dense, Dropout, MaxPooling2D, SeparableConv2D

import sweeper
from sweeper.config.compose import of_sweep
from sweeper.files.costs import mflops
from sweeper.planning.corners import HIGH, LOW, at
from sweeper.search import space

ROOT = Path(sweeper.__file__).parent.parent
CIFAR = (32, 32, 3)
SEARCHED = sorted(
    file.stem
    for file in (ROOT / "conf" / "model").glob("*.yaml")
    if "architecture" in (yaml.safe_load(file.read_text()).get("space") or {})
)


@pytest.fixture(autouse=True)
def fresh_keras():
    keras.backend.clear_session()


def build(stem, shape=CIFAR, **keys):
    return importlib.import_module(f"sweeper.models.{stem}").build(shape, 10, **keys)


def ranges(stem):
    """The dimensions of a network in `hparams=search_architecture`, by keyword argument."""
    typed = [f"model={stem}", "hparams=search_architecture"]
    context, config = of_sweep(typed)
    loader, asked = context.config_loader, config.hydra.sweeper
    found = space.build(typed, asked.params, asked.spaces, loader, partial(loader.load_sweep_config, config))
    return {key.removeprefix("model."): of for key, of in found.unconditional().items() if key.startswith("model.")}


def corners(dimensions) -> Iterator[dict]:
    """All low, all high, and each dimension at its high end among low ones."""
    low = {key: at(of, LOW) for key, of in dimensions.items()}
    yield low
    yield {key: at(of, HIGH) for key, of in dimensions.items()}
    yield from (low | {key: at(of, HIGH)} for key, of in dimensions.items())


def convolutions(net, of):
    """An attribute of each convolution; its sizes are square."""
    values = [getattr(layer, of) for layer in net.layers if isinstance(layer, Conv2D)]
    return [value[0] if isinstance(value, tuple) else value for value in values]


def count(net, kind):
    return sum(isinstance(layer, kind) for layer in net.layers)


@pytest.mark.parametrize("shape", [(8, 8, 1), CIFAR, (48, 48, 1)], ids=str)
@pytest.mark.parametrize("stem", SEARCHED)
def test_each_corner_of_the_ranges_can_be_built_and_they_reach_from_a_thousand_parameters_to_a_million(stem, shape):
    sizes = [build(stem, shape, **keys).count_params() for keys in corners(ranges(stem))]
    assert min(sizes) <= 2_000
    assert max(sizes) >= 800_000


@pytest.mark.parametrize("stem", SEARCHED)
def test_a_stride_belongs_to_the_first_convolution_alone_and_saves_operations(stem):
    near, far = build(stem), build(stem, stride=2)
    assert [a - b for a, b in zip(convolutions(far, "strides"), convolutions(near, "strides"), strict=True)] == [
        1,
        *[0] * (count(near, Conv2D) - 1),
    ]
    assert mflops(far) < mflops(near) / 2.5
    assert far.count_params() <= near.count_params()


@pytest.mark.parametrize(
    ("stem", "others"),
    [
        ("custom", 0),
        ("hierarchy", 0),
        ("resnet", 2),  # 1x1 in the shortcuts
        ("densenet", 20),  # 1x1 in 18 bottlenecks and 2 transitions, 3x3 in the stem
        ("xception", 0),
    ],
)
def test_a_kernel_is_that_of_all_convolutions_that_see_more_than_a_place(stem, others):
    kind = SeparableConv2D if stem == "xception" else Conv2D
    sizes = [layer.kernel_size for layer in build(stem, kernel=5).layers if type(layer) is kind]
    stem_of_its_own = stem == "densenet"
    assert sizes.count((5, 5)) == len(sizes) - others - stem_of_its_own


def test_the_kernel_of_alexnet_is_its_first_ones():
    assert convolutions(build("alexnet", kernel=5, width=0.1), "kernel_size") == [5, 5, 3, 3, 3]


def test_blocks_of_custom_halve_the_resolution_and_drop_ever_more():
    net = build("custom", blocks=4, convolutions=1, dropout=0.3)
    assert (count(net, MaxPooling2D), count(net, Conv2D)) == (4, 4)
    assert [layer.rate for layer in net.layers if isinstance(layer, Dropout)] == pytest.approx([0.15, 0.2, 0.25, 0.3])
    assert [layer.rate for layer in build("custom", blocks=1).layers if isinstance(layer, Dropout)] == [0.4]


@pytest.mark.parametrize(
    ("stem", "growth", "filters"),
    [("custom", 1.5, [8, 8, 12, 12, 18, 18]), ("custom", 1.0, [8] * 6), ("resnet", 1.3, [8, 10, 14])],
)
def test_growth_multiplies_filters_from_block_to_block(stem, growth, filters):
    found = convolutions(build(stem, filters=8, growth=growth), "filters")
    assert (found if stem == "custom" else list(dict.fromkeys(found))) == filters


@pytest.mark.parametrize("refinements", [0, 2])
def test_refinements_of_hierarchy_are_those_of_each_level_but_the_objects(refinements):
    net = build("hierarchy", refinements=refinements)
    assert count(net, Conv2D) == 4 + 3 * refinements
    assert not [layer.name for layer in net.layers if layer.name.startswith("objects_")]


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
def test_the_depth_of_vgg_counts_the_papers_layers_of_which_one_dense_is_not_ours(depth):
    net = build("vgg16", depth=depth)
    assert count(net, Conv2D) + count(net, Dense) + 1 == depth


@pytest.mark.parametrize(("blocks", "stages"), [(3, [1, 1, 1]), (5, [2, 2, 1]), (9, [3, 3, 3])])
def test_blocks_of_inception_are_shared_out_among_its_stages(blocks, stages):
    net = build("inception", blocks=blocks)
    ends = [layer.output.shape[1] for layer in net.layers if type(layer).__name__ == "Concatenate"]
    assert [ends.count(size) for size in (16, 8, 4)] == stages


@pytest.mark.parametrize("middle", [0, 3])
def test_the_middle_flow_of_xception_has_three_separable_convolutions_a_block(middle):
    assert count(build("xception", middle=middle), SeparableConv2D) == 6 + 3 * middle


@pytest.mark.parametrize("stem", ["alexnet", "vgg16"])
def test_a_width_is_a_fraction_of_the_papers_and_leaves_one_of_each(stem):
    net = build(stem, width=1e-6)
    assert set(convolutions(net, "filters")) == {1}
    assert count(net, BatchNormalization) == count(build(stem), BatchNormalization)
    assert math.isclose(
        build(stem, width=0.1).count_params() / build(stem, width=0.2).count_params(), 0.25, rel_tol=0.1
    )


@pytest.mark.parametrize(
    ("stem", "keys", "told"),
    [
        *[(stem, {"stride": 0}, "model.stride=0: give a whole number of at least 1") for stem in SEARCHED],
        *[(stem, {"stride": 1.5}, "model.stride=1.5: give a whole number") for stem in SEARCHED],
        ("custom", {"filters": 0}, "model.filters=0: give a whole number of at least 1"),
        ("custom", {"blocks": 0}, "model.blocks=0"),
        ("custom", {"convolutions": 0}, "model.convolutions=0"),
        ("custom", {"kernel": -1}, "model.kernel=-1"),
        ("custom", {"growth": 0.9}, "model.growth=0.9: give a number from 1"),
        ("custom", {"growth": math.nan}, "model.growth=nan"),
        ("custom", {"growth": math.inf}, "model.growth=inf"),
        ("vgg16", {"width": math.inf}, "model.width=inf"),
        ("hierarchy", {"filters": 0}, "model.filters=0"),
        ("hierarchy", {"refinements": -1}, "model.refinements=-1: give a whole number of at least 0"),
        ("hierarchy", {"kernel": 0}, "model.kernel=0"),
        ("resnet", {"filters": 0}, "model.filters=0"),
        ("resnet", {"kernel": 0}, "model.kernel=0"),
        ("resnet", {"growth": 0.5}, "model.growth=0.5: give a number from 1"),
        ("vgg16", {"width": 0}, "model.width=0: give a fraction above 0"),
        ("vgg16", {"depth": 12}, "model.depth=12: give 11, 13, 16, 19"),
        ("inception", {"filters": 0}, "model.filters=0"),
        ("inception", {"blocks": 2}, "model.blocks=2: give a whole number of at least 3"),
        ("xception", {"filters": 0}, "model.filters=0"),
        ("xception", {"middle": -1}, "model.middle=-1: give a whole number of at least 0"),
        ("xception", {"kernel": 0}, "model.kernel=0"),
        ("densenet", {"growth": 0}, "model.growth=0"),
        ("densenet", {"kernel": 0}, "model.kernel=0"),
        ("alexnet", {"width": -1}, "model.width=-1: give a fraction above 0"),
        ("alexnet", {"kernel": 0}, "model.kernel=0"),
    ],
)
def test_an_argument_that_makes_no_network_is_named_with_what_to_give(stem, keys, told):
    with pytest.raises(ValueError, match=told):
        build(stem, **keys)

import importlib
from pathlib import Path

import keras
import pytest
from keras import layers
from tensorflow.python.profiler import model_analyzer
from tensorflow.python.profiler.option_builder import ProfileOptionBuilder

import sweeper
from sweeper.app import main
from sweeper.commands import summary

STEMS = sorted(file.stem for file in (Path(sweeper.__file__).parent.parent / "models").glob("*.py"))


def build(stem, shape=(16, 16, 3)):
    return importlib.import_module(f"sweeper.models.{stem}").build(shape, 10)


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["sweeper", "summary", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code


def profiled(network):
    """Operations of one image as TensorFlow counts them in the graph, all kinds together."""
    import tensorflow as tf

    graph = tf.function(network).get_concrete_function(tf.TensorSpec((1, *network.input_shape[1:]))).graph
    options = ProfileOptionBuilder(ProfileOptionBuilder.float_operation()).with_empty_output().build()
    return model_analyzer.profile(graph, options=options).total_float_ops


@pytest.mark.slow
@pytest.mark.parametrize("stem", STEMS)
def test_the_operations_are_those_that_tensorflow_counts_but_for_a_few_percent(stem):
    network = build(stem)
    counted = 2 * sum(layer.multiply_adds for layer in summary.layers(network))
    assert 0.9 * profiled(network) < counted <= profiled(network)


@pytest.mark.parametrize("stem", STEMS)
def test_the_layers_have_all_parameters(stem):
    network = build(stem)
    assert sum(layer.parameters for layer in summary.layers(network)) == network.count_params()


def test_a_network_inside_a_network_counts_with_its_own_layers():
    block = keras.Sequential([keras.Input((16, 16, 3)), *(layers.Conv2D(8, 3), layers.GlobalAveragePooling2D())])
    network = keras.Sequential([keras.Input((16, 16, 3)), block, layers.Dense(10)])
    assert [layer.multiply_adds for layer in summary.layers(network)] == [14 * 14 * 9 * 3 * 8, 8 * 10]


def test_the_layers_are_listed_with_their_totals(monkeypatch, capsys):
    assert run(monkeypatch, "model=custom", "model.filters=4", "dataset=digits") == 0
    header, first, *_, last = capsys.readouterr().out.splitlines()
    assert header.split("\t") == ["name", "kind", "output", "parameters", "multiply_adds"]
    assert first.split("\t")[1:] == ["Conv2D", "8x8x4", "40", str(8 * 8 * 9 * 4)]
    assert last.startswith("custom: 4,950 parameters")
    assert "an image of 8x8x1" in last


def test_an_input_needs_no_data_set(monkeypatch, capsys):
    assert run(monkeypatch, "model=hierarchy", "--input", "48x48x1", "--classes", "8") == 0
    assert "an image of 48x48x1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--input", "32x32"], "--input 32x32: not a shape. Give height, width and channels: 32x32x3"),
        (["--input", "0x32x3"], "--input 0x32x3: not a shape. Give height, width and channels: 32x32x3"),
        (["model=nowhere"], "model=nowhere: there is no such option. Choose from alexnet, custom, "),
        (["model.width=3"], "model.width: there is no such key. model has filters, blocks, convolutions, "),
    ],
)
def test_a_mistake_is_told_in_a_sentence(arguments, complaint, monkeypatch, capsys):
    assert run(monkeypatch, *arguments) == 2
    assert complaint in capsys.readouterr().err

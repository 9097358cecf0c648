import numpy as np
import onnx
import onnxruntime
from keras import Input, Sequential, layers
from onnx import TensorProto, helper, numpy_helper

from sweeper.files import formats, onnx_graph

IMAGES = np.random.default_rng(0).normal(size=(3, 8, 8, 1)).astype(np.float32)


def network():
    return Sequential(
        [
            Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="elu"),
            layers.BatchNormalization(),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(10, "softmax"),
        ]
    )


def test_a_network_exported_five_times_is_the_same_file_to_the_last_byte(tmp_path):
    net, written = network(), set()
    for number in range(5):
        network()  # Keras counts its names on
        formats.ONNX.write(net, tmp_path / f"{number}.onnx", IMAGES)
        written.add((tmp_path / f"{number}.onnx").read_bytes())
    assert len(written) == 1


def flattening() -> onnx.ModelProto:
    """A flatten whose sizes are computed from the images', as tf2onnx leaves it now and then."""
    constants = {
        "zero": np.array([0]),
        "one": np.array([1]),
        "rest": np.array([64], np.int32),
        "weights": np.ones((64, 2), np.float32),
        "nobody's": np.ones(1000, np.float32),
    }
    nodes = [
        helper.make_node("Shape", ["images"], ["shape__9"]),
        helper.make_node("Cast", ["shape__9"], ["cast__17"], to=TensorProto.INT32),
        helper.make_node("Slice", ["cast__17", "zero", "one", "zero"], ["slice__3"]),
        helper.make_node("Concat", ["slice__3", "rest"], ["sizes__4"], axis=0),
        helper.make_node("Cast", ["sizes__4"], ["sizes__5"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["images", "sizes__5"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["answers"]),
    ]
    graph = helper.make_graph(
        nodes,
        "graph__7",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["unk__3", 8, 8, 1])],
        [helper.make_tensor_value_info("answers", TensorProto.FLOAT, ["unk__4", 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


def test_sizes_that_are_left_to_be_computed_become_constants_and_the_answers_stay(tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(flattening(), path)
    before = onnxruntime.InferenceSession(path).run(None, {"images": IMAGES})[0]
    onnx_graph.settle(path)
    settled = onnx.load(path)
    onnx.checker.check_model(settled, full_check=True)
    assert [node.op_type for node in settled.graph.node] == ["Reshape", "MatMul"]
    assert sorted(tensor.name for tensor in settled.graph.initializer) == ["MatMul_1_1", "Reshape_0_1"]
    np.testing.assert_allclose(onnxruntime.InferenceSession(path).run(None, {"images": IMAGES})[0], before)

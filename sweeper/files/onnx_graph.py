"""An ONNX file that the same network always gives alike: what tf2onnx writes depends on the order of its threads.

Now and then it leaves sizes to be computed that it otherwise writes as constants, and its names count all that the
process has built before. A sweep that minimizes the size of the file would choose by chance.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx

BATCH = "batch"  # what the number of images is called


def settle(path: Path) -> None:
    """Writes the file anew: sizes as constants, nothing that nothing needs, names by the order of the operations."""
    import onnx

    model = onnx.load(path)
    if any(attribute.HasField("g") or attribute.graphs for node in model.graph.node for attribute in node.attribute):
        return  # a graph inside of it may name anything of this one
    _fix_shapes(model)
    _drop_unused(model.graph)
    _rename(model.graph)
    onnx.save(model, path)


def _fix_shapes(model: onnx.ModelProto) -> None:
    """A Reshape to what is computed, all sizes of which but one are known, gets them as a constant."""
    from onnx import numpy_helper, shape_inference

    graph = model.graph
    inferred = shape_inference.infer_shapes(model, data_prop=True).graph
    known = {info.name: info.type.tensor_type.shape.dim for info in (*inferred.value_info, *inferred.output)}
    constants = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type != "Reshape" or node.input[1] in constants:
            continue
        sizes = [dim.dim_value if dim.HasField("dim_value") else -1 for dim in known.get(node.output[0], ())]
        if sizes and sizes.count(-1) <= 1 and 0 not in sizes:
            node.input[1] = f"{node.output[0]} as constant"
            graph.initializer.append(numpy_helper.from_array(np.array(sizes, np.int64), node.input[1]))


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Operations from which no way leads to an output."""
    used, nodes = {output.name for output in graph.output}, []
    for node in reversed(graph.node):
        if used & set(node.output):
            used |= set(node.input)
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(reversed(nodes))


def _rename(graph: onnx.GraphProto) -> None:
    """`Conv_3` is the fourth operation, `Conv_3_1` the second that it reads, if that is a constant."""
    names = {info.name: info.name for info in (*graph.input, *graph.output)}
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    constants = []
    for place, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{place}"
        for position, name in enumerate(node.input):
            if name in tensors:
                constants.append(tensors.pop(name))
                constants[-1].name = names[name] = f"{node.name}_{position}"
        for position, name in enumerate(node.output):
            names.setdefault(name, f"{node.name}:{position}")
        for read_or_written in (node.input, node.output):
            read_or_written[:] = [names.get(name, name) for name in read_or_written]
    del graph.initializer[:], graph.value_info[:]
    graph.initializer.extend(constants)
    graph.name, graph.doc_string = "network", ""
    for info in (*graph.input, *graph.output):
        info.type.tensor_type.shape.dim[0].dim_param = BATCH

"""Graph operations: each takes an ONNX model, changes it in place, and returns what it touched.

A card names them in `[[surgery]]`; the table's other keys are their options.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.utils import Extractor


def floor_bn_weights(model: onnx.ModelProto, *, match: str, floor: float) -> list[str]:
    """Weights of BatchNormalization nodes whose magnitude is not above `floor` become `floor`.

    `match` is a regular expression for the names of weights. BatchNorms that the exporter folded into convolutions
    are gone and stay as they are. Returns the names of the weights found, whether or not a value changed.
    Source: ERFNet guide, 3.1 (`modify_bn_weights.py`).
    """
    scales = {node.input[1] for node in model.graph.node if node.op_type == "BatchNormalization"}
    found = [w for w in model.graph.initializer if w.name in scales and re.search(match, w.name)]
    for weight in found:
        value = numpy_helper.to_array(weight)
        floored = np.where(np.abs(value) > floor, value, np.asarray(floor, value.dtype))
        weight.CopyFrom(numpy_helper.from_array(floored, weight.name))
    return [weight.name for weight in found]


def keep_outputs(model: onnx.ModelProto, *, count: int) -> list[str]:
    """The first `count` outputs stay, so that their indices do; what leads only to the others is removed.

    Returns the names of the outputs dropped: none where `count` is below 1, or the model has no more outputs.
    Source: ICNet guide (`atc --out_nodes` names one output of four).
    """
    inputs = [value.name for value in model.graph.input]
    outputs = [value.name for value in model.graph.output]
    if not 0 < count < len(outputs):
        return []
    kept = Extractor(model).extract_model(inputs, outputs[:count]).graph
    kept.name = model.graph.name  # the library writes its own; opset and IR version are the model's
    model.graph.CopyFrom(kept)
    return outputs[count:]


def simplify(model: onnx.ModelProto) -> list[str]:
    """Constants are folded, and nodes that do nothing are removed; inputs, outputs and their names stay.

    Static axes stay static and a dynamic batch axis dynamic: shapes that depend on it are not folded. The model
    computes what it did. Returns the names of the nodes that are gone (an unnamed node is told by its output).
    Source: DeepLabV3 guide (`python3 -m onnxsim`), done here by onnxslim.
    """
    import onnxslim  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415  loads sympy, most of a second

    before = _labels(model)
    model.CopyFrom(onnxslim.slim(model))
    remaining = set(_labels(model))
    return [label for label in before if label not in remaining]


def nearest_fusion(model: onnx.ModelProto) -> list[str]:
    """Four bilinear Resizes of an HRNet take a pixel instead; of their attributes only `mode` becomes `nearest`.

    They are the first upsampling in the last fusion of stage 3, and the three that bring branches 2 to 4 to the size
    of branch 1 just before the head. In an HRNet, branch 1 meets a Resize of each other branch in the sums for its
    size (one other branch in stage 2, two in stage 3, three in stage 4), and in one Concat before the head. Returns
    the names of the four; none where the graph's sums and Concats are not so.
    Source: HRNet guide (Resize_585, 1350, 1363 and 1376 of its export).
    """
    makers = {tensor: node for node in model.graph.node for tensor in node.output}
    fusions = [found for summands in _sums(model.graph.node, makers) if (found := _upsampled(summands, makers))]
    concats = [_upsampled(node.input, makers) for node in model.graph.node if node.op_type == "Concat"]
    heads = [found for found in concats if len(found) == 3]
    others = [len(found) for found in fusions]
    if len(heads) != 1 or set(others) != {1, 2, 3} or others != sorted(others):
        return []
    stage3 = [found for found in fusions if len(found) == 2]
    touched = [stage3[-1][0], *heads[0]]
    for node in touched:
        _mode(node).s = b"nearest"
    return [node.name for node in touched]


def _sums(nodes: Iterable[onnx.NodeProto], makers: Mapping[str, onnx.NodeProto]) -> list[list[str]]:
    """The summands of each chain of Adds, in the order in which they are written."""

    def summands(tensor: str) -> list[str]:
        node = makers.get(tensor)
        if node is None or node.op_type != "Add":
            return [tensor]
        return [part for given in node.input for part in summands(given)]

    adds = [node for node in nodes if node.op_type == "Add"]
    partial = {tensor for node in adds for tensor in node.input}
    return [summands(node.output[0]) for node in adds if node.output[0] not in partial]


def _upsampled(tensors: Sequence[str], makers: Mapping[str, onnx.NodeProto]) -> list[onnx.NodeProto]:
    """The bilinear Resizes that make all of the tensors but one; none where it is not all but one."""
    resizes = [makers[t] for t in tensors if t in makers and makers[t].op_type == "Resize"]
    bilinear = [node for node in resizes if _mode(node).s == b"linear"]
    return bilinear if len(bilinear) == len(tensors) - 1 else []


def _mode(resize: onnx.NodeProto) -> onnx.AttributeProto:
    """The attribute that says how a Resize finds values between pixels; an empty one where it is left to the default."""
    return next((a for a in resize.attribute if a.name == "mode"), onnx.AttributeProto())


def _labels(model: onnx.ModelProto) -> list[str]:
    """Names of nodes, or of their first output where they have none."""
    return [node.name or node.output[0] for node in model.graph.node]

"""Graph operations: each takes an ONNX model, changes it in place, and returns what it touched.

A card names them in `[[surgery]]`; the table's other keys are their options.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from onnx import numpy_helper

if TYPE_CHECKING:
    import onnx


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

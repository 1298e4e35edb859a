"""The nodes that give a graph's outputs, found by what they do: their numbers change with every exporter."""

from __future__ import annotations

from pathlib import Path

import onnx


def name_nodes(path: Path) -> None:
    """Call each node that gives an output of an ONNX file as that output is called; the graph computes what it did.

    Tools that take outputs by their nodes (`atc --out_nodes`) then find them without a look at the graph.
    """
    model = onnx.load(path)
    outputs = {value.name for value in model.graph.output}
    for node in model.graph.node:
        if len(node.output) == 1 and node.output[0] in outputs:
            node.name = node.output[0]
        elif node.name in outputs:  # another's name now
            node.name = f"{node.name}_"
    onnx.save(model, path)

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
    taken = outputs | {node.name for node in model.graph.node}
    for node in list(model.graph.node):
        if len(node.output) == 1 and node.output[0] in outputs:
            node.name = node.output[0]
            continue
        if node.name in outputs:  # another's name now
            node.name = _free(node.name, taken)
        for index, output in enumerate(node.output):
            if output in outputs:  # one of several: a node of its own gives it
                node.output[index] = _free(output, taken)
                model.graph.node.append(onnx.helper.make_node("Identity", [node.output[index]], [output], name=output))
    onnx.save(model, path)


def _free(name: str, taken: set[str]) -> str:
    """The name with as many underscores as make it nobody's."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name

"""Outputs by their nodes: whoever takes them so finds them without a look at the graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from roadworthy import card as cards
from roadworthy import pipeline
from roadworthy.card import Sample
from roadworthy.convert import outputs

SIZES = {"erfnet": (128, 256), "icnet": (256, 512), "deeplabv3": (128, 256), "hrnet": (128, 256)}  # as in test_parity


@pytest.fixture
def written(tmp_path):
    """Writes a graph of `Neg`, `Abs` and `Add` nodes of these names; `output1` is of Add, `output2` of Neg."""

    def write(neg: str, absolute: str, add: str):
        nodes = [
            helper.make_node("Neg", ["image"], ["output2"], name=neg),
            helper.make_node("Abs", ["output2"], ["inner"], name=absolute),
            helper.make_node("Add", ["inner", "image"], ["output1"], name=add),
        ]
        image, *given = (
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3])
            for name in ("image", "output1", "output2")
        )
        graph = helper.make_graph(nodes, "net", [image], given)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
        onnx.save(made, tmp_path / "net.onnx")
        return tmp_path / "net.onnx"

    return write


@pytest.fixture(scope="module")
def one_frame(tmp_path_factory):
    """A drawn data set of one frame, on which weights are settled."""
    folder = tmp_path_factory.mktemp("sample")
    pipeline.write_sample(folder, "val", 1)
    return folder


def run(path):
    """Both outputs for one input."""
    image = np.float32([[-1, 2, 3], [4, -5, 0.5]])
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    return [
        [value.name for value in session.get_outputs()],
        *(out.tolist() for out in session.run(None, {"image": image})),
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("Neg_0", "Abs_1", "Add_2"), ["output2", "Abs_1", "output1"]),
        (("", "", ""), ["output2", "", "output1"]),
        (("output1", "Abs_1", "output2"), ["output2", "Abs_1", "output1"]),
        (("Neg_0", "output1", "Add_2"), ["output2", "output1_", "output1"]),
        (("Neg_0", "output2", "Add_2"), ["output2", "output2_", "output1"]),
    ],
)
def test_a_node_is_called_as_the_output_that_it_gives(written, before, after):
    """Whatever an exporter called it, and whoever else had that name; outputs and what they are stay."""
    path = written(*before)
    results = run(path)
    outputs.name_nodes(path)

    assert after == [node.name for node in onnx.load(path).graph.node]
    assert results == run(path)


@pytest.mark.parametrize("key", list(SIZES))
def test_a_cards_outputs_are_nodes_of_its_graph(one_frame, monkeypatch, key):
    """Those that surgery leaves, each the first output of one node, as atc is told (`output1:0`)."""
    monkeypatch.setattr(pipeline, "sample_data", lambda *_: one_frame)
    card = cards.find([cards.builtin_models()])[key]
    small = replace(card, sample=Sample(size=SIZES[key])).at_sample_size()
    graph = onnx.load(pipeline.prepare(small, pipeline.weights_file(small, None)).files[-1]).graph
    found = {name: [node.output[0] for node in graph.node if node.name == name] for name in card.kept_outputs}

    assert {name: [name] for name in card.kept_outputs} == found
    assert list(card.kept_outputs) == [value.name for value in graph.output]


def test_an_output_of_a_node_with_several_gets_a_node_of_its_own(tmp_path):
    """--out_nodes takes nodes; Split has no one output that could bear its name."""
    parts = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1]) for name in ("output1", "output2")]
    node = helper.make_node("Split", ["x"], ["output1", "output2"], name="output1", axis=1)
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", 1, [1, 2])], parts)
    path = tmp_path / "split.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8), path)

    outputs.name_nodes(path)
    nodes = {node.name: node.op_type for node in onnx.load(path).graph.node}
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])

    assert {"output1_": "Split", "output1": "Identity", "output2": "Identity"} == nodes
    assert [[[3.0]], [[4.0]]] == [found.tolist() for found in session.run(None, {"x": np.float32([[3, 4]])})]

"""Placement: the wanted provider runs the graph in fact, and what it leaves to others is arithmetic with shapes."""

from __future__ import annotations

import pytest

from roadworthy.problem import CaseFailed
from roadworthy.runtimes import placement

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
CONVS = [("Conv", f"conv{i}") for i in range(120)]
SIZES = [("Shape", "size"), ("Gather", "height"), ("Gather", "width"), ("Concat", "sizes")]


def test_shapes_may_be_reckoned_on_the_cpu():
    """A provider leaves such nodes there on purpose, whoever answers the question of the shape."""
    placement.check({CUDA: CONVS, CPU: SIZES}, [CUDA])
    placement.check({CUDA: [*CONVS, ("Shape", "size")], CPU: [("Slice", "a"), ("Concat", "b")]}, [CUDA])

    assert "CUDAExecutionProvider 120, CPUExecutionProvider 4 (Gather 2, Concat 1, Shape 1)" == placement.summary(
        {CUDA: CONVS, CPU: SIZES}
    )


def test_a_node_that_computes_on_pixels_must_not_be_on_the_cpu():
    """The sentence counts and names what was left there; the evidence names the nodes."""
    strays = [("Resize", f"up{i}") for i in range(6)]

    with pytest.raises(CaseFailed) as caught:
        placement.check({CUDA: CONVS, CPU: [*SIZES, *strays, ("Conv", "last")]}, [CUDA])

    assert (
        "CUDAExecutionProvider leaves 7 of the graph's 131 nodes to others: CPUExecutionProvider runs Resize 6, Conv 1"
        == str(caught.value)
    )
    assert tuple(f"CPUExecutionProvider: Resize up{i}" for i in range(5)) == caught.value.evidence


def test_joining_is_of_pixels_where_the_graph_asks_for_no_shape():
    """Without a question there is no arithmetic with the answer."""
    with pytest.raises(CaseFailed, match=r"leaves 1 of the graph's 121 nodes to others: .* runs Concat 1$"):
        placement.check({CUDA: CONVS, CPU: [("Concat", "features")]}, [CUDA])


def test_a_provider_that_runs_nothing_has_failed():
    """A library that was not found costs no word of ONNX Runtime, but the figure."""
    with pytest.raises(CaseFailed) as caught:
        placement.check({CPU: [("Conv", "a"), ("Relu", "b"), ("Conv", "c")]}, [CUDA])

    assert str(caught.value).startswith(
        "CUDAExecutionProvider runs none of the graph's 3 nodes: CPUExecutionProvider runs Conv 2, Relu 1; "
    )
    assert ("CPUExecutionProvider: Conv a", "CPUExecutionProvider: Relu b") == caught.value.evidence[:2]


def test_a_provider_without_nodes_has_failed_though_another_wanted_one_has_them():
    """TensorRT's figure is not CUDA's."""
    with pytest.raises(CaseFailed, match=r"TensorrtExecutionProvider runs none of the graph's 120 nodes"):
        placement.check({TENSORRT: [], CUDA: CONVS}, [TENSORRT, CUDA])


def test_what_the_first_provider_lacks_may_go_to_the_other_wanted_ones():
    """What TensorRT does not take, CUDA runs on the same GPU."""
    placed = {TENSORRT: CONVS, CUDA: [("Resize", "up")], CPU: SIZES[:1]}
    placement.check(placed, [TENSORRT, CUDA])

    assert (
        "TensorrtExecutionProvider 120, CUDAExecutionProvider 1 (Resize 1), CPUExecutionProvider 1 (Shape 1)"
        == placement.summary(placed)
    )


def test_the_cpu_runs_everything_where_it_is_wanted():
    """Nothing is left to others."""
    placement.check({CPU: [*CONVS, *SIZES]}, [CPU])

    assert "CPUExecutionProvider 124" == placement.summary({CPU: [*CONVS, *SIZES]})


def test_many_kinds_are_not_all_named():
    """The sentence stays one line."""
    nodes = [(operation, "") for operation in "ABCDEFG"]

    assert "A 1, B 1, C 1, D 1, E 1 and 2 more kinds" == placement.kinds(nodes)

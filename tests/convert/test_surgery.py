"""Surgery: what each pass finds, what the graph computes afterwards, and what it leaves alone."""

from __future__ import annotations

import importlib.util
import io
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn
from torch.nn import functional

from roadworthy.convert import surgery

HRNET = Path(__file__).parents[2] / "models" / "hrnet" / "net.py"


def exported(module: nn.Module, *shape: int, outputs: tuple[str, ...] = ("logits",)) -> onnx.ModelProto:
    """The graph that the classic exporter makes of a module for frames of that shape, batch axis dynamic."""
    file = io.BytesIO()
    with warnings.catch_warnings():  # sizes are meant to be constants; the exporter is chosen with care
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            module.eval(),
            (torch.zeros(1, *shape),),
            file,
            input_names=["frame"],
            output_names=list(outputs),
            opset_version=11,
            dynamo=False,
            dynamic_axes={name: {0: "batch"} for name in ("frame", *outputs)},
        )
    return onnx.load_from_string(file.getvalue())


def copied(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph, for a pass to change."""
    return onnx.load_from_string(model.SerializeToString())


def computed(model: onnx.ModelProto, frames: np.ndarray) -> list[np.ndarray]:
    """Every output of the graph."""
    onnx.checker.check_model(model, full_check=True)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"frame": frames})


def frames(*shape: int) -> np.ndarray:
    """Noise."""
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def axes(value: onnx.ValueInfoProto) -> list[str | int]:
    """Names of dynamic axes, sizes of static ones."""
    return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]


def frozen_facts(model: onnx.ModelProto) -> tuple:
    """What no pass may change."""
    inputs = [(value.name, axes(value)) for value in model.graph.input]
    return model.ir_version, [entry.version for entry in model.opset_import], model.graph.name, inputs


class Heads(nn.Module):
    """Three outputs: each is made of the one before."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))

    def forward(self, x):
        """All three."""
        first = self.first(x)
        second = self.second(functional.relu(first))
        return first, second, self.third(functional.relu(second))


@pytest.fixture(scope="module")
def heads() -> onnx.ModelProto:
    """The graph of `Heads`."""
    torch.manual_seed(0)
    return exported(Heads(), 3, 8, 16, outputs=("full", "half", "quarter"))


@pytest.mark.parametrize(
    ("count", "dropped", "weights"),
    [
        (1, ["half", "quarter"], {"first.weight", "first.bias"}),
        (2, ["quarter"], {"first.weight", "first.bias", "second.weight", "second.bias"}),
    ],
)
def test_the_first_outputs_stay_and_what_leads_to_others_goes(heads, count, dropped, weights):
    """Outputs keep their order, values, names and dynamic batch; other weights are gone, and opset and input stay."""
    model, x = copied(heads), frames(3, 3, 8, 16)
    found = surgery.keep_outputs(model, count=count)

    assert dropped == found
    assert [(o.name, axes(o)) for o in heads.graph.output][:count] == [(o.name, axes(o)) for o in model.graph.output]
    assert weights == {w.name for w in model.graph.initializer}
    assert ["Conv", "Relu", "Conv"][: 2 * count - 1] == [node.op_type for node in model.graph.node]
    assert frozen_facts(heads) == frozen_facts(model)
    for expected, value in zip(computed(heads, x)[:count], computed(model, x), strict=True):
        np.testing.assert_array_equal(expected, value)


@pytest.mark.parametrize("count", [-1, 0, 3, 4])
def test_a_count_that_drops_nothing_or_everything_finds_nothing(heads, count):
    """The graph stays as it is."""
    model = copied(heads)

    assert [] == surgery.keep_outputs(model, count=count)
    assert heads == model


def foldable(batch: str | int) -> onnx.ModelProto:
    """Four times the frame at twice its size, the long way: `sizes` are known if the batch is."""
    nodes = [
        helper.make_node("Constant", [], ["two"], "two", value=helper.make_tensor("", TensorProto.FLOAT, [], [2.0])),
        helper.make_node("Mul", ["two", "two"], ["four"], "four"),
        helper.make_node("Identity", ["frame"], ["same"]),
        helper.make_node("Mul", ["same", "four"], ["scaled"], "scaled"),
        helper.make_node("Shape", ["scaled"], ["shape"], "shape"),
        helper.make_node("Slice", ["shape", "zero", "one"], ["batch"], "batch"),
        helper.make_node("Concat", ["batch", "rest"], ["sizes"], "sizes", axis=0),
        helper.make_node("Resize", ["scaled", "empty", "empty", "sizes"], ["logits"], "resize", mode="linear"),
    ]
    numbers = {"zero": [0], "one": [1], "rest": [3, 16, 32]}
    weights = [helper.make_tensor(name, TensorProto.INT64, [len(v)], v) for name, v in numbers.items()]
    weights.append(helper.make_tensor("empty", TensorProto.FLOAT, [0], []))
    frame = helper.make_tensor_value_info("frame", TensorProto.FLOAT, [batch, 3, 8, 16])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, 3, 16, 32])
    graph = helper.make_graph(nodes, "foldable", [frame], [logits], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)


@pytest.mark.parametrize(
    ("batch", "gone"),
    [
        ("batch", ["two", "four", "same"]),
        (2, ["two", "four", "same", "shape", "batch", "sizes"]),
    ],
)
def test_what_is_constant_is_folded(batch, gone):
    """Shapes too where the batch is static; values, names, axes, opset and IR version stay as they were."""
    plain, x = foldable(batch), frames(2, 3, 8, 16)
    model = copied(plain)
    found = surgery.simplify(model)

    assert gone == found
    assert not set(gone) & {node.name or node.output[0] for node in model.graph.node}
    assert [("logits", [batch, 3, 16, 32])] == [(o.name, axes(o)) for o in model.graph.output]
    assert frozen_facts(plain) == frozen_facts(model)
    np.testing.assert_array_equal(computed(plain, x)[0], computed(model, x)[0])


def test_a_simplified_graph_takes_any_batch():
    """A dynamic batch axis is dynamic in what is computed, not in name only."""
    plain, x = foldable("batch"), frames(5, 3, 8, 16)
    model = copied(plain)
    surgery.simplify(model)

    np.testing.assert_array_equal(computed(plain, x)[0], computed(model, x)[0])


def test_a_simple_graph_has_nothing_to_simplify():
    """The second time finds nothing."""
    model = foldable("batch")
    surgery.simplify(model)

    assert [] == surgery.simplify(model)


def bilinear(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """As HRNet upsamples."""
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=True)


def picked(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """ONNX's nearest with corners aligned, rounded down."""
    rows, columns = (torch.arange(to) * (at - 1) // (to - 1) for at, to in zip(x.shape[-2:], size, strict=True))
    return x[..., rows, :][..., columns]


class Fusion(nn.Module):
    """Each branch becomes the sum of all; `first` upsamples branch 2 to branch 1."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count, self.first = count, bilinear
        self.paths = nn.ModuleList(nn.ModuleList(self.path(j - i) for i in range(count)) for j in range(count))

    @staticmethod
    def path(halvings: int) -> nn.Module:
        """Nothing for a branch's own sum, else a convolution; strided where the target is smaller."""
        if halvings == 0:
            return nn.Identity()
        return nn.Conv2d(4, 4, 3, stride=2 ** max(halvings, 0), padding=1)

    def forward(self, xs):
        """As many branches, same sizes; terms are added in the order of branches."""
        fused = []
        for target, paths in enumerate(self.paths):
            size = (int(xs[target].shape[-2]), int(xs[target].shape[-1]))
            terms = [layer(x) for layer, x in zip(paths, xs, strict=True)]
            for source in range(target + 1, self.count):
                enlarge = self.first if (target, source) == (0, 1) else bilinear
                terms[source] = enlarge(terms[source], size)
            total = terms[0]
            for term in terms[1:]:
                total = total + term
            fused.append(functional.relu(total))
        return fused


class Branches(nn.Module):
    """An HRNet in small: fusions of that many branches each, a residual sum, and one Concat per head."""

    def __init__(self, *counts: int, heads: int = 1) -> None:
        super().__init__()
        self.heads, self.last = heads, bilinear
        self.residual = nn.Conv2d(4, 4, 3, padding=1)
        self.halve = nn.Conv2d(4, 4, 3, stride=2, padding=1)
        self.fusions = nn.ModuleList(Fusion(count) for count in counts)

    def forward(self, x):
        """All branches at the size of the first, per head."""
        xs = [functional.relu(self.residual(x) + x)]
        for fusion in self.fusions:
            while fusion.count > len(xs):
                xs.append(self.halve(xs[-1]))
            xs = [*fusion(xs[: fusion.count]), *xs[fusion.count :]]
        size = (int(x.shape[-2]), int(x.shape[-1]))
        return tuple(torch.cat([xs[0], *(self.last(y, size) for y in xs[1:])], dim=1) for _ in range(self.heads))


SIZE = (32, 48)  # 31 and 47 are prime: no position is a whole number but the corners, so rounding has no say
FOUR = ["/fusions.2/Resize", "/Resize", "/Resize_1", "/Resize_2"]


@pytest.fixture(scope="module")
def branches() -> Branches:
    """One fusion of two branches, two of three, two of four."""
    torch.manual_seed(0)
    return Branches(2, 3, 3, 4, 4)


@pytest.fixture(scope="module")
def bilinear_graph(branches) -> onnx.ModelProto:
    """Its graph."""
    return exported(branches, 4, *SIZE)


@pytest.mark.parametrize("batch", [1, 3])
def test_four_resizes_take_the_nearest_pixel(branches, bilinear_graph, monkeypatch, batch):
    """The graph then computes what the module does with those four upsamplings by picked pixels, at any batch."""
    model, x = copied(bilinear_graph), frames(batch, 4, *SIZE)
    found = surgery.nearest_fusion(model)
    monkeypatch.setattr(branches.fusions[2], "first", picked)
    monkeypatch.setattr(branches, "last", picked)
    with torch.inference_mode():
        expected = branches(torch.from_numpy(x))[0].numpy()

    assert FOUR == found
    np.testing.assert_allclose(expected, computed(model, x)[0], rtol=1e-3, atol=1e-4)
    assert np.abs(expected - computed(bilinear_graph, x)[0]).max() > 0.1


def test_only_the_mode_of_the_four_changes(bilinear_graph):
    """Undone by hand, the graph is what it was: corners aligned, rounded down."""
    model = copied(bilinear_graph)
    surgery.nearest_fusion(model)
    for node in model.graph.node:
        if node.name in FOUR:
            attributes = {a.name: a for a in node.attribute}
            assert b"align_corners" == attributes["coordinate_transformation_mode"].s
            assert b"floor" == attributes["nearest_mode"].s
            assert b"nearest" == attributes["mode"].s
            attributes["mode"].s = b"linear"

    assert bilinear_graph == model


def test_the_four_are_found_by_what_they_do(bilinear_graph):
    """Other names of nodes, or a graph without its Constant nodes, give the same four."""
    renamed, simplified = copied(bilinear_graph), copied(bilinear_graph)
    for number, node in enumerate(renamed.graph.node):
        node.name = f"{number}"
    surgery.simplify(simplified)
    names = [node.name for node in bilinear_graph.graph.node]

    assert FOUR == [names[int(number)] for number in surgery.nearest_fusion(renamed)]
    assert FOUR == surgery.nearest_fusion(simplified)


@pytest.mark.parametrize(
    ("counts", "heads"),
    [
        ((2, 3, 3), 1),
        ((2, 4), 1),
        ((2, 3, 4), 2),
        ((2, 3, 4, 3), 1),
    ],
    ids=["three branches", "no fusion of three", "two heads", "three branches again after four"],
)
def test_another_network_is_left_alone(counts, heads):
    """Where the four cannot be told, nothing changes."""
    outputs = ("logits", "more")[:heads]
    plain = exported(Branches(*counts, heads=heads), 4, *SIZE, outputs=outputs)
    model = copied(plain)

    assert [] == surgery.nearest_fusion(model)
    assert plain == model


def test_a_fused_graph_is_left_alone(bilinear_graph):
    """The second time finds nothing, and no other Resize instead."""
    model = copied(bilinear_graph)
    surgery.nearest_fusion(model)
    once = copied(model)

    assert [] == surgery.nearest_fusion(model)
    assert once == model


@pytest.mark.slow
def test_in_hrnet_the_four_are_those_of_the_guide():
    """Of 34: the first upsampling of stage 3's fourth module, and the three before the OCR head."""
    spec = importlib.util.spec_from_file_location("hrnet_net", HRNET)
    net = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(net)
    model = exported(net.HRNetOCR(), 3, 64, 128, outputs=("aux", "out"))
    resizes = [node.name for node in model.graph.node if node.op_type == "Resize"]
    found = surgery.nearest_fusion(model)
    x = frames(2, 3, 64, 128)

    assert 34 == len(resizes)
    assert ["/stage3/stage3.3/Resize", "/Resize", "/Resize_1", "/Resize_2"] == found
    assert resizes[-3:] == found[1:]
    assert [(2, 19, 16, 32)] * 2 == [value.shape for value in computed(model, x)]

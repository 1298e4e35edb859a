"""Export: opset, names, dynamic batch axis, and BatchNorm folded as in the guides' graphs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from roadworthy import card as cards
from roadworthy import network
from roadworthy.convert import export, ledger
from roadworthy.problem import Problem


@pytest.fixture(scope="module")
def erfnet() -> cards.ModelCard:
    """The real card with a small input, so that tests are quick."""
    card = cards.find([cards.builtin_models()])["erfnet"]
    return replace(card, input=replace(card.input, shape=(3, 64, 128)))


@pytest.fixture(scope="module")
def module(erfnet) -> torch.nn.Module:
    """ERFNet with seeded weights, no two BatchNorms alike (the exporter stores equal ones once)."""
    torch.manual_seed(1)
    module = network.build(erfnet).eval()
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
    return module


@pytest.fixture(scope="module")
def exported(erfnet, module, tmp_path_factory):
    """The exported graph."""
    path = tmp_path_factory.mktemp("graph") / "exported.onnx"
    export.export(module, erfnet, path)
    return path


BATCH_NORMS = [
    "encoder.initial_block.bn.weight",
    "encoder.layers.0.bn.weight",
    "encoder.layers.6.bn.weight",
    "decoder.layers.0.bn.weight",
    "decoder.layers.3.bn.weight",
]


def test_the_graph_has_the_guides_opset_input_and_batch_axis(exported):
    """Opset 11, `actual_input_1`, first axis dynamic, the others fixed."""
    model = onnx.load(exported)
    axes = model.graph.input[0].type.tensor_type.shape.dim

    assert [11] == [entry.version for entry in model.opset_import]
    assert "actual_input_1" == model.graph.input[0].name
    assert ["batch", 3, 64, 128] == [axis.dim_param or axis.dim_value for axis in axes]


@pytest.mark.parametrize("batch", [1, 3])
def test_the_graph_computes_what_the_module_computes(exported, module, batch):
    """Within float32 rounding, at any batch size."""
    x = np.random.default_rng(0).random((batch, 3, 64, 128), np.float32)
    with torch.inference_mode():
        expected = module(torch.from_numpy(x)).numpy()
    found = ort.InferenceSession(exported, providers=["CPUExecutionProvider"]).run(None, {"actual_input_1": x})[0]

    np.testing.assert_allclose(expected, found, rtol=1e-3, atol=1e-4)


def test_five_batch_norms_remain_and_only_they_are_floored(erfnet, exported):
    """The others are folded into convolutions; the ledger names the five, with other hashes before and after."""
    ((entry, path),) = ledger.operate(replace(erfnet, surgery=({**erfnet.surgery[0], "floor": 2.0},)), exported)
    weights = {w.name: onnx.numpy_helper.to_array(w) for w in onnx.load(path).graph.initializer}

    assert BATCH_NORMS == list(entry.touched)
    assert entry.before != entry.after
    assert all((weights[name] == 2.0).all() for name in BATCH_NORMS)


def test_a_floor_keeps_what_is_above_it_in_magnitude(erfnet, exported):
    """-0.5 stays, -0.005 and 0.005 become 0.01, as the guide's script does."""
    model = onnx.load(exported)
    weight = next(w for w in model.graph.initializer if w.name == BATCH_NORMS[0])
    values = np.array(onnx.numpy_helper.to_array(weight))
    values[:4] = [-0.5, -0.005, 0.005, 0.5]
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    edited = exported.with_name("edited.onnx")
    onnx.save(model, edited)
    ((_, path),) = ledger.operate(erfnet, edited)
    found = next(w for w in onnx.load(path).graph.initializer if w.name == BATCH_NORMS[0])

    assert pytest.approx([-0.5, 0.01, 0.01, 0.5]) == list(onnx.numpy_helper.to_array(found)[:4])


def test_a_floor_that_changes_no_value_is_no_error(erfnet, exported):
    """Weights from 0.5 to 1.5 are found, and left as they are."""
    ((entry, _),) = ledger.operate(erfnet, exported)

    assert 5 == len(entry.touched)


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ({"pass": "floor_bn_weights", "match": "nothing", "floor": 0.01}, "finds no node in exported.onnx"),
        ({"pass": "floor_bn_weights", "match": ".*"}, "missing 1 required keyword-only argument: 'floor'"),
        ({"pass": "raise_bn_weights"}, "there is no 'raise_bn_weights'; known: floor_bn_weights"),
    ],
)
def test_a_pass_that_finds_nothing_or_is_misnamed_is_refused(erfnet, exported, step, told):
    """The sentence names card, pass and options."""
    with pytest.raises(Problem, match=told):
        ledger.operate(replace(erfnet, surgery=(step,)), exported)


def test_a_ledger_reads_as_it_was_written(erfnet, exported, tmp_path):
    """JSON keeps every field."""
    entries = [entry for entry, _ in ledger.operate(erfnet, exported)]
    ledger.write(entries, tmp_path / "ledger.json")

    assert entries == ledger.read(tmp_path / "ledger.json")

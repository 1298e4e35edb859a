"""Every network as a graph: exported, operated on and run by ONNX Runtime against torch, on one drawn frame."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roadworthy import card as cards
from roadworthy import evaluations, pipeline
from roadworthy.card import Sample

KEPT = {"icnet": 0.8, "hrnet": 0.1}  # by untrained weights, which are at the mercy of a pixel; the others keep all
PASSES = {
    "erfnet": ["floor_bn_weights"],
    "icnet": ["export", "keep_outputs"],
    "deeplabv3": ["simplify"],
    "hrnet": ["nearest_fusion"],
}


@pytest.fixture(scope="module")
def one_frame(tmp_path_factory):
    """A drawn data set of one frame."""
    folder = tmp_path_factory.mktemp("sample")
    pipeline.write_sample(folder, "val", 1)
    return folder


@pytest.fixture
def compared(one_frame, monkeypatch):
    """Compares a model's graphs with torch at a size, with weights that depend on names alone."""
    monkeypatch.setattr(pipeline, "sample_data", lambda *_: one_frame)

    def compare(key, size):
        card = cards.find([cards.builtin_models()])[key]
        card = replace(card, sample=Sample(size=size)).at_sample_size()
        weights = pipeline.weights_file(card, None)
        graph = pipeline.prepare(card, weights)
        return pipeline.parity(card, graph, weights, pipeline.first_of(pipeline.open_data(str(one_frame), card), 1))

    return compare


def judge(key, found):
    """Both graphs are the torch module's; the ledger has every change, and its effect."""
    exported, operated = found.graphs[0], found.graphs[-1]
    kept = evaluations.same_pixels(found.modules["evaluated"], operated)

    assert evaluations.same_pixels(found.modules["exported"], exported) >= 0.9999
    assert evaluations.same_pixels(found.modules["operated"], operated) >= 0.9999
    assert KEPT.get(key, 0.9999) <= kept <= (0.999 if key in KEPT else 1)
    assert PASSES[key] == [entry.name for entry in found.ledger]
    assert {1} == {entry.frames for entry in found.ledger}
    assert all(entry.agreement is not None and entry.touched for entry in found.ledger)
    assert len(set(found.modules["evaluated"].maps[0].ravel())) > 5  # a map of one class would agree with anything


@pytest.mark.parametrize(
    ("key", "size"),
    [("erfnet", (128, 256)), ("icnet", (256, 512)), ("deeplabv3", (128, 256)), ("hrnet", (128, 256))],
)
def test_graphs_equal_torch_at_a_small_size(compared, key, size):
    """Every pull request."""
    judge(key, compared(key, size))


@pytest.mark.realsize
@pytest.mark.parametrize("key", list(PASSES))
def test_graphs_equal_torch_at_real_size(compared, key):
    """At the guide's size: `pytest -m realsize`, minutes for the large networks."""
    judge(key, compared(key, cards.find([cards.builtin_models()])[key].input.shape[1:]))

"""The order of steps on the small model: graphs, weights, scores, the ledger's effect."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from roadworthy import evaluations, pipeline
from roadworthy.case import Case
from roadworthy.convert import ledger
from roadworthy.data import cityscapes
from roadworthy.network import read_checkpoint
from roadworthy.run import Run
from roadworthy.runtimes import onnxruntime
from roadworthy.soc import find


@pytest.fixture(scope="module")
def dataset(tiny_card, tiny_data):
    """Five frames."""
    return pipeline.open_data(str(tiny_data), tiny_card)


@pytest.fixture(scope="module")
def graph(tiny_card):
    """The small model as ONNX."""
    return pipeline.prepare(tiny_card, pipeline.weights_file(tiny_card, None))


def test_a_graph_is_made_once(tiny_card, graph):
    """Same card, weights and tools: the same files; another floor: others."""
    weights = pipeline.weights_file(tiny_card, None)
    floored = replace(tiny_card, surgery=({**tiny_card.surgery[0], "floor": 0.7},))

    assert graph == pipeline.prepare(tiny_card, weights)
    assert ["exported.onnx", "exported.1-floor_bn_weights.onnx"] == [path.name for path in graph.files]
    assert graph.files != pipeline.prepare(floored, weights).files


def test_a_model_without_weights_gets_some_that_nobody_trained(tiny_card, monkeypatch, tiny_data):
    """Made once, the same in every process, under a name that says what they are; activations stay of order one."""
    monkeypatch.setattr(pipeline, "sample_data", lambda *_: tiny_data)
    path = pipeline.weights_file(replace(tiny_card, sample=None), None)

    assert "untrained-tiny.safetensors" == path.name
    assert path == pipeline.weights_file(replace(tiny_card, sample=None), None)
    state = read_checkpoint(path)
    assert 0.05 < float(state["bn.running_var"].mean()) < 0.95  # the power of photographs in 0..1
    assert float(state["conv.weight"].std()) > 0.1


def test_an_output_that_is_not_the_cards_is_no_figure(tiny_card, tiny_data, tmp_path):
    """Another of the network's outputs would be enlarged and counted without a word; one that is not there is told."""
    coarse = replace(tiny_card, output=replace(tiny_card.output, stride=2))
    beyond = replace(tiny_card, output=replace(tiny_card.output, count=2, index=1))

    for card, told in ((coarse, "must be 1 x 20 x 32 x 64"), (beyond, "1 outputs, but number 1 of the card")):
        run = Run(tmp_path / told[:3].strip(), str(tiny_data), None)
        case = Case(card, find("cpu"), 1)
        run.material.graph = lambda _: pipeline.prepare(tiny_card, pipeline.weights_file(tiny_card, None))
        (lost,) = run.accuracy(case)
        assert lost.outcome == "crash"
        assert told in lost.detail


def test_seconds_are_of_the_whole_stream_and_told_of_one_frame(tiny_card, dataset, graph):
    """Scoring the frames is part of it; results that lie in files took no seconds."""
    session = onnxruntime.Session(graph.files[-1], (1, 3, 64, 128))

    def rested(done: int, total: int) -> None:  # noqa: ARG001  what a progress is told
        time.sleep(0.25)

    found = pipeline.evaluate(Case(tiny_card, find("cpu"), 1), session, dataset, progress=rested)
    (row,) = evaluations.scores(tiny_card, found, ["pooled"])
    (of_files,) = evaluations.scores(tiny_card, replace(found, seconds=None), ["pooled"])

    assert found.seconds >= 5 * 0.25
    assert pytest.approx(found.seconds / 5) == row["seconds_per_frame"]
    assert "seconds_per_frame" not in of_files


def test_an_export_shows_what_surgery_did_to_class_maps(tiny_card, dataset, tmp_path):
    """A floor that changes nothing leaves every pixel; one at 1.0 changes pixels and mIoU; both are in the ledger."""
    weights = pipeline.weights_file(tiny_card, None)
    floored = replace(tiny_card, surgery=({**tiny_card.surgery[0], "floor": 1.0},))
    (kept,) = pipeline.write_graph(tiny_card, weights, dataset, tmp_path / "kept.onnx")
    (broken,) = pipeline.write_graph(floored, weights, dataset, tmp_path / "broken.onnx")

    assert (("bn.weight",), 1.0, 0.0, 1) == (kept.touched, kept.agreement, kept.miou_delta, kept.frames)
    assert broken.agreement < 0.999
    assert broken.miou_delta < 0
    assert [broken] == ledger.read(tmp_path / "broken.ledger.json")
    assert (tmp_path / "broken.onnx").is_file()


def test_the_sample_data_say_where_they_come_from(tmp_path):
    """A written folder opens as the sample data set, whatever the folder is called."""
    pipeline.write_sample(tmp_path / "mine", "val", 1)
    dataset = cityscapes.open_dataset(tmp_path / "mine")

    assert "sample-v1" == dataset.origin
    assert "sample-v1/1" == cityscapes.check(dataset, (3, 512, 1024))

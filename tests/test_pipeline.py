"""The order of steps on the small model: graphs, weights, scores, the ledger's effect."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from roadworthy import pipeline
from roadworthy.case import Case
from roadworthy.convert import ledger
from roadworthy.data import cityscapes
from roadworthy.network import read_checkpoint
from roadworthy.problem import Problem
from roadworthy.run import Run
from roadworthy.runtimes import eager, onnxruntime
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


def test_scores_are_of_the_card_a_named_or_all_conventions(tiny_card, tiny_data, tmp_path):
    """The JSON objects have miou, iou (19), pooled_miou, convention and frames."""
    evaluation = Run(tmp_path, str(tiny_data), None).evaluation(Case(tiny_card, find("cpu"), 1))
    (own,) = pipeline.scores(tiny_card, evaluation, pipeline.conventions(tiny_card, "card"))

    assert ("dataset", 19, 5) == (own["convention"], len(own["iou"]), own["frames"])
    assert ["pooled"] == pipeline.conventions(tiny_card, "pooled")
    assert ["clipped", "dataset", "pooled", "running"] == pipeline.conventions(tiny_card, "all")
    with pytest.raises(Problem, match=r"--convention Score: .* known: card, all, clipped, dataset, pooled, running"):
        pipeline.conventions(tiny_card, "Score")


def test_pixel_accuracy_is_the_share_of_labelled_pixels_that_are_right(tiny_card):
    """Over all frames at once; a void prediction is a miss, and pixels without a label do not count."""
    matrices = np.zeros((2, 19, 20), np.int64)
    matrices[0, 0, 0], matrices[0, 0, 1], matrices[1, 18, 18], matrices[1, 18, 19] = 6, 1, 1, 2
    found = pipeline.Evaluation(("a", "b"), matrices, (), (), "files", 0)
    (row,) = pipeline.scores(tiny_card, found, ["pooled"])

    assert pytest.approx(7 / 10) == row["pixel_accuracy"]
    with pytest.raises(Problem, match="no pixel of the 2 frames has a label of the 19 classes"):
        pipeline.pixel_accuracy(replace(found, matrices=matrices * 0))


def test_seconds_are_of_the_whole_stream_and_told_of_one_frame(tiny_card, dataset, graph):
    """Scoring the frames is part of it; results that lie in files took no seconds."""
    session = onnxruntime.Session(graph.files[-1], (1, 3, 64, 128))
    slow = pytest.approx(0.25, rel=0.5)

    def rested(done: int, total: int) -> None:  # noqa: ARG001  what a progress is told
        time.sleep(0.25)

    found = pipeline.evaluate(Case(tiny_card, find("cpu"), 1), session, dataset, progress=rested)
    (row,) = pipeline.scores(tiny_card, found, ["pooled"])
    (of_files,) = pipeline.scores(tiny_card, replace(found, seconds=None), ["pooled"])

    assert slow == row["seconds_per_frame"]
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


@pytest.mark.parametrize("world", [1, 2, 3, 5, 7])
def test_shares_join_to_the_evaluation_of_all_frames(tiny_card, dataset, world):
    """In the order of the frames, also where they do not divide evenly or a process has none; no frame counts twice."""
    case = Case(tiny_card, find("cpu"), 1)
    weights = pipeline.weights_file(tiny_card, None)
    whole = pipeline.evaluate(case, eager.at_stage(weights, case, "evaluated"), dataset)
    shares = [pipeline.share(dataset, rank, world) for rank in range(world)]
    parts = [
        pipeline.evaluate(case, eager.at_stage(weights, case, "evaluated"), own) if len(own) else None for own in shares
    ]
    found = pipeline.joined(parts)

    assert len(dataset) == sum(map(len, shares))
    assert (whole.stems, whole.digests) == (found.stems, found.digests)
    assert np.array_equal(whole.matrices, found.matrices)
    assert pipeline.score(tiny_card, whole) == pipeline.score(tiny_card, found)


def test_the_sample_data_say_where_they_come_from(tmp_path):
    """A written folder opens as the sample data set, whatever the folder is called."""
    pipeline.write_sample(tmp_path / "mine", "val", 1)
    dataset = cityscapes.open_dataset(tmp_path / "mine")

    assert "sample-v1" == dataset.origin
    assert "sample-v1/1" == cityscapes.check(dataset, (3, 512, 1024))

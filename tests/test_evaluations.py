"""What is counted of scored frames: mIoU by conventions, pixels that are right, shares of several processes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from roadworthy import evaluations, pipeline
from roadworthy.case import Case
from roadworthy.problem import Problem
from roadworthy.run import Run
from roadworthy.runtimes import eager
from roadworthy.soc import find


@pytest.fixture(scope="module")
def dataset(tiny_card, tiny_data):
    """Five frames."""
    return pipeline.open_data(str(tiny_data), tiny_card)


def test_scores_are_of_the_card_a_named_or_all_conventions(tiny_card, tiny_data, tmp_path):
    """The JSON objects have miou, iou (19), pooled_miou, convention and frames."""
    evaluation = Run(tmp_path, str(tiny_data), None).evaluation(Case(tiny_card, find("cpu"), 1))
    (own,) = evaluations.scores(tiny_card, evaluation, evaluations.conventions(tiny_card, "card"))

    assert ("dataset", 19, 5) == (own["convention"], len(own["iou"]), own["frames"])
    assert ["pooled"] == evaluations.conventions(tiny_card, "pooled")
    assert ["clipped", "dataset", "pooled", "running"] == evaluations.conventions(tiny_card, "all")
    with pytest.raises(Problem, match=r"--convention Score: .* known: card, all, clipped, dataset, pooled, running"):
        evaluations.conventions(tiny_card, "Score")


def test_pixel_accuracy_is_the_share_of_labelled_pixels_that_are_right(tiny_card):
    """Over all frames at once; a void prediction is a miss, and pixels without a label do not count."""
    matrices = np.zeros((2, 19, 20), np.int64)
    matrices[0, 0, 0], matrices[0, 0, 1], matrices[1, 18, 18], matrices[1, 18, 19] = 6, 1, 1, 2
    found = evaluations.Evaluation(("a", "b"), matrices, (), (), "files", 0)
    (row,) = evaluations.scores(tiny_card, found, ["pooled"])

    assert pytest.approx(7 / 10) == row["pixel_accuracy"]
    with pytest.raises(Problem, match="no pixel of the 2 frames has a label of the 19 classes"):
        evaluations.pixel_accuracy(replace(found, matrices=matrices * 0))


@pytest.mark.parametrize("world", [1, 2, 3, 5, 7])
def test_shares_join_to_the_evaluation_of_all_frames(tiny_card, dataset, world):
    """In the order of the frames, also where they do not divide evenly or a process has none; no frame counts twice."""
    case = Case(tiny_card, find("cpu"), 1)
    weights = pipeline.weights_file(tiny_card, None)
    whole = pipeline.evaluate(case, eager.at_stage(weights, case, "evaluated"), dataset)
    shares = [evaluations.share(dataset, rank, world) for rank in range(world)]
    parts = [
        pipeline.evaluate(case, eager.at_stage(weights, case, "evaluated"), own) if len(own) else None for own in shares
    ]
    found = evaluations.joined(parts)

    assert len(dataset) == sum(map(len, shares))
    assert (whole.stems, whole.digests) == (found.stems, found.digests)
    assert np.array_equal(whole.matrices, found.matrices)
    assert evaluations.score(tiny_card, whole) == evaluations.score(tiny_card, found)

"""A frame's own mIoU: classes that are labelled or predicted in it, a void prediction as a miss."""

from __future__ import annotations

import numpy as np
import pytest

from roadworthy.score import overlap


def matrices(*frames: dict[tuple[int, int], int]) -> np.ndarray:
    """Matrices (N, 19, 20) from {(true, predicted): pixels} of each frame."""
    made = np.zeros((len(frames), 19, 20), np.int64)
    for index, counts in enumerate(frames):
        for place, pixels in counts.items():
            made[index][place] = pixels
    return made


@pytest.mark.parametrize(
    ("counts", "miou"),
    [
        ({(3, 3): 7}, 1.0),
        ({(3, 3): 6, (3, 4): 2}, (6 / 8 + 0) / 2),  # class 4 is predicted and nowhere labelled
        ({(3, 3): 6, (3, 19): 2}, 6 / 8),  # void is no class that is predicted
        ({(0, 0): 1, (0, 1): 2, (1, 0): 3, (1, 1): 4}, (1 / 6 + 4 / 9) / 2),
        ({(5, 19): 9}, 0.0),
    ],
)
def test_a_frame_counts_the_classes_that_are_labelled_or_predicted_in_it(counts, miou):
    """A class gives tp / (tp + fp + fn); the frame the mean over these classes."""
    (found,) = overlap.of_frames(matrices(counts))

    assert pytest.approx(miou) == found


def test_a_frame_without_a_label_has_no_miou_and_costs_the_others_nothing():
    """NaN in its place."""
    found = overlap.of_frames(matrices({(1, 1): 3}, {}, {(1, 1): 1, (1, 19): 1}))

    assert [1.0, 0.5] == found[[0, 2]].tolist()
    assert np.isnan(found[1])

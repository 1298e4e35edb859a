"""Agreement of two runs: pixels where class maps are kept, bounds from matrices elsewhere, the worst frame counts."""

from __future__ import annotations

import numpy as np
import pytest

from roadworthy.score import agreement


def matrix(counts: dict[tuple[int, int], int]) -> np.ndarray:
    """A (19, 20) matrix."""
    made = np.zeros((19, 20), np.int64)
    for cell, count in counts.items():
        made[cell] = count
    return made


MAP = np.zeros((10, 10), np.uint8)
OTHER = MAP.copy()
OTHER[0, :3] = 1
SAME = matrix({(0, 0): 100})
MOVED = matrix({(0, 0): 90, (0, 1): 10})


@pytest.mark.parametrize(
    ("maps", "matrices", "digests", "expected"),
    [
        (([MAP], [MAP]), ([SAME, SAME], [SAME, SAME]), ([1, 2], [1, 2]), 1.0),
        (([MAP], [OTHER]), ([SAME, SAME], [SAME, SAME]), ([1, 2], [3, 2]), 0.97),
        (([MAP], [MAP]), ([SAME, SAME], [SAME, MOVED]), ([1, 2], [1, 3]), 0.9),
        (([MAP], [OTHER]), ([SAME, SAME], [SAME, MOVED]), ([1, 2], [3, 4]), 0.9),
        (([MAP, MAP], [MAP]), ([SAME, SAME], [SAME, SAME]), ([1, 2], [1, 2]), 0.0),
        (([MAP], [MAP]), ([SAME, SAME], [SAME]), ([1, 2], [1]), 0.0),
    ],
    ids=["same", "a kept map differs", "one without map differs", "both differ", "other maps", "other frames"],
)
def test_the_worst_frame_counts(maps, matrices, digests, expected):
    """Ten of a hundred pixels moved in one frame are 0.9, however many frames agree."""
    found = agreement.worst_frame(maps, tuple(np.stack(m) for m in matrices), digests)

    assert pytest.approx(expected) == found

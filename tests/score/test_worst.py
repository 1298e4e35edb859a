"""The worst frames: the lowest mIoU first, equal ones by their names, and never more than were asked for."""

from __future__ import annotations

import numpy as np
import pytest

from roadworthy.score import worst
from roadworthy.score.worst import Worst

RIGHT = {"d": 9, "b": 2, "e": 5, "a": 5, "c": 0, "f": 5}  # pixels of ten that are right


def matrix(right: int, labelled: int = 10) -> np.ndarray:
    """A (19, 20) matrix of one class, of which so many pixels are right and the others void."""
    made = np.zeros((19, 20), np.int64)
    made[4, 4], made[4, 19] = right, labelled - right
    return made


def offered(most: int, names: str = "dbeacf") -> Worst:
    """The frames of RIGHT, offered in the order of `names`."""
    found = Worst(most)
    for name in names:
        found.offer(name, matrix(RIGHT[name]), np.full((2, 2), 4, np.uint8), np.full((2, 2), RIGHT[name], np.uint8))
    return found


@pytest.mark.parametrize("names", ["dbeacf", "fcaebd", "abcdef"])
@pytest.mark.parametrize(("most", "expected"), [(1, "c"), (3, "cba"), (4, "cbae"), (6, "cbaefd"), (9, "cbaefd")])
def test_the_worst_are_the_same_in_whatever_order_they_come(names, most, expected):
    """By mIoU, then by the stem; fewer where there are fewer."""
    assert expected == "".join(seen.stem for seen in offered(most, names).frames)


@pytest.mark.parametrize("most", [1, 3, 9])
def test_the_worst_by_matrices_alone_are_those_that_were_held(most):
    """So that of many processes each knows which of its frames are wanted."""
    every, matrices = list(RIGHT), np.stack([matrix(right) for right in RIGHT.values()])

    assert tuple(seen.stem for seen in offered(most).frames) == worst.stems(every, matrices, most)


def test_no_more_are_held_than_were_asked_for_at_any_time():
    """Also with frames that get worse and worse."""
    found, held = Worst(2), []
    for right in range(10, 0, -1):
        found.offer(f"{right}", matrix(right), np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8))
        held.append(len(found.frames))

    assert [1, 2, 2, 2, 2, 2, 2, 2, 2, 2] == held
    assert [0.1, 0.2] == [seen.miou for seen in found.frames]


def test_what_is_held_is_a_copy():
    """The arrays may be used again for the next frame."""
    found, label, prediction = Worst(1), np.full((2, 2), 4, np.uint8), np.full((2, 2), 7, np.uint8)
    found.offer("a", matrix(3), label, prediction)
    label[:], prediction[:] = 0, 0

    assert (4, 7) == (found.frames[0].label.max(), found.frames[0].prediction.max())


def test_a_frame_without_a_label_is_never_among_the_worst():
    """It has no mIoU."""
    found = Worst(2)
    found.offer("blank", matrix(0, 0), np.full((2, 2), 255, np.uint8), np.zeros((2, 2), np.uint8))

    assert [] == found.frames
    assert () == worst.stems(["blank"], matrix(0, 0)[None], 2)


def test_nothing_is_held_where_nothing_is_asked_for():
    """The default."""
    assert [] == offered(0).frames

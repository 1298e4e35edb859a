"""Tallies to mIoU, the way a guide counts it.

A convention is a function of the frames' matrices, in the order in which the frames were visited: the word of a card's
`[scoring].average`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.classes import CLASSES
from roadworthy.problem import Problem
from roadworthy.score import overlap

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EPSILON = np.float32(2.220446049250313e-16)  # ICNet's guide adds it to the union


@dataclass(frozen=True)
class Score:
    """mIoU and the 19 IoUs, as fractions; None for a class that the convention leaves out of the mean.

    `note` says what a reader must know to compare the figure with another convention's.
    """

    miou: float
    iou: tuple[float | None, ...]
    note: str = ""


def dataset(matrices: NDArray[np.int64]) -> Score:
    """ERFNet's guide: all pixels of all frames at once, plain mean of the 19, so that an absent class counts as 0.

    `matrices` is (frames, 19, 20); Problem when no pixel of them is labelled.
    """
    hit, union = _pool(matrices)
    iou = hit / (union + 1e-15)
    return Score(float(iou.mean()), tuple(iou.tolist()), _absent(union))


def pooled(matrices: NDArray[np.int64]) -> Score:
    """cityscapesScripts: all pixels of all frames at once, mean over the classes that are labelled or predicted.

    DeepLabV3's guide counts in the same way and prints round(100 x, 2). `matrices` is (frames, 19, 20); Problem when
    no pixel of them is labelled.
    """
    hit, union = _pool(matrices)
    iou = [float(h / u) if u else None for h, u in zip(hit, union, strict=True)]
    return Score(float(np.mean([value for value in iou if value is not None])), tuple(iou))


def running(matrices: NDArray[np.int64]) -> Score:
    """ICNet's guide: after each frame the mIoU of the frames so far, in float32; the figure is the mean of those.

    The IoUs are the ones after the last frame; an absent class counts as 0. `matrices` is (frames, 19, 20) in the
    order in which the frames were visited; Problem when no pixel of them is labelled.
    """
    _pool(matrices)
    hit, union = (np.cumsum(counts, axis=0, dtype=np.float32) for counts in overlap.pixels(matrices))
    iou = hit / (_EPSILON + union)
    so_far = iou.mean(axis=1).tolist()
    note = (
        "it differs from the pooled figure because it is a mean over the frames of the mIoU so far: early frames count "
        "in every term, and another order of frames gives another figure"
    )
    return Score(sum(so_far) / len(so_far), tuple(iou[-1].tolist()), note)


def clipped(matrices: NDArray[np.int64]) -> Score:
    """HRNet's guide: all pixels of all frames at once, unions of at least one pixel, plain mean of the 19.

    An absent class counts as 0. `matrices` is (frames, 19, 20); Problem when no pixel of them is labelled.
    """
    hit, union = _pool(matrices)
    iou = hit / np.maximum(1.0, union)
    return Score(float(iou.mean()), tuple(iou.tolist()), _absent(union))


def _pool(matrices: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Intersection and union (19,) over all frames, in pixels."""
    if matrices.ndim != 3 or matrices.shape[1:] != (19, 20):
        raise ValueError(f"matrices have the shape {matrices.shape}; it must be (frames, 19, 20)")
    if not matrices.any():
        raise Problem(f"no pixel of the {len(matrices)} frames has a label of the 19 classes; there is no mIoU")
    hit, union = overlap.pixels(matrices)
    return hit.sum(axis=0), union.sum(axis=0)


def _absent(union: NDArray[np.int64]) -> str:
    """Why a plain mean of the 19 lies below the pooled figure, where it does."""
    names = [name for name, pixels in zip(CLASSES, union, strict=True) if not pixels]
    return f"{', '.join(names)}: in no frame, counted as 0 here and left out of the pooled figure" if names else ""

"""Tallies to mIoU, the way a guide counts it.

A convention is a function of the frames' matrices, in the order in which the frames were visited: the word of a card's
`[scoring].average`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.problem import Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES = (
    "road",
    "sidewalk",
    "building",
    "wall",
    "fence",
    "pole",
    "traffic light",
    "traffic sign",
    "vegetation",
    "terrain",
    "sky",
    "person",
    "rider",
    "car",
    "truck",
    "bus",
    "train",
    "motorcycle",
    "bicycle",
)


@dataclass(frozen=True)
class Score:
    """mIoU and the 19 IoUs, as fractions; None for a class that the convention leaves out of the mean."""

    miou: float
    iou: tuple[float | None, ...]


def dataset(matrices: NDArray[np.int64]) -> Score:
    """ERFNet's guide: all pixels of all frames at once, plain mean of the 19, so that an absent class counts as 0.

    `matrices` is (frames, 19, 20); Problem when no pixel of them is labelled.
    """
    hit, union = _pool(matrices)
    iou = hit / (union + 1e-15)
    return Score(float(iou.mean()), tuple(iou.tolist()))


def pooled(matrices: NDArray[np.int64]) -> Score:
    """cityscapesScripts: all pixels of all frames at once, mean over the classes that are labelled or predicted.

    `matrices` is (frames, 19, 20); Problem when no pixel of them is labelled.
    """
    hit, union = _pool(matrices)
    iou = [float(h / u) if u else None for h, u in zip(hit, union, strict=True)]
    return Score(float(np.mean([value for value in iou if value is not None])), tuple(iou))


def _pool(matrices: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Intersection and union of each class over all frames, in pixels; a void prediction only adds to the union."""
    if matrices.ndim != 3 or matrices.shape[1:] != (19, 20):
        raise ValueError(f"matrices have the shape {matrices.shape}; it must be (frames, 19, 20)")
    total = matrices.sum(axis=0)
    if not total.any():
        raise Problem(f"no pixel of the {len(matrices)} frames has a label of the 19 classes; there is no mIoU")
    hit = np.diagonal(total)
    return hit, total.sum(axis=1) + total[:, :19].sum(axis=0) - hit

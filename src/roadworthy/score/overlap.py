"""Matrices of frames -> the pixels that label and prediction share, and the mIoU of every frame by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def pixels(matrices: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Intersection and union (frames, 19), in pixels; a void prediction only adds to the union.

    `matrices` is (frames, 19, 20).
    """
    hit = np.diagonal(matrices, axis1=1, axis2=2)
    return hit, matrices.sum(axis=2) + matrices[:, :, :19].sum(axis=1) - hit


def of_frames(matrices: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each frame's own mIoU (frames,), as a fraction: the mean over the classes that are labelled or predicted in it.

    NaN for a frame without a labelled pixel. `matrices` is (frames, 19, 20).
    """
    hit, union = pixels(matrices)
    there = union > 0
    iou = np.divide(hit, union, out=np.zeros(hit.shape), where=there)
    mean: NDArray[np.float64] = np.full(len(matrices), np.nan)
    np.divide(iou.sum(axis=1), there.sum(axis=1), out=mean, where=there.any(axis=1))
    return mean

"""How far two runs over the same frames say the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def worst_frame(
    maps: tuple[Sequence[NDArray[np.uint8]], Sequence[NDArray[np.uint8]]],
    matrices: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> float:
    """Share of equal pixels (0..1) in the frame where two runs agree least; 0 where they saw other frames.

    `maps` are the class maps (H, W) of the first frames: those are compared pixel by pixel. `matrices` (N, 19, 20) are
    the confusion matrices of all frames: two that differ in n counts differ in n / 2 labelled pixels or more, so every
    other frame gives an upper bound.
    """
    (map_a, map_b), (cm_a, cm_b) = maps, matrices
    if cm_a.shape != cm_b.shape or len(map_a) != len(map_b):
        return 0.0
    shares = [float(np.mean(a == b)) for a, b in zip(map_a, map_b, strict=True)]
    for a, b in zip(cm_a, cm_b, strict=True):
        shares.append(1 - int(np.abs(a - b).sum()) / 2 / max(int(a.sum()), 1))
    return min(shares)

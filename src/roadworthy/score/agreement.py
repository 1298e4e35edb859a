"""How far two runs over the same frames say the same."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray


def worst_frame(
    maps: tuple[Sequence[NDArray[np.uint8]], Sequence[NDArray[np.uint8]]],
    matrices: tuple[NDArray[np.int64], NDArray[np.int64]],
    digests: tuple[Sequence[int], Sequence[int]],
) -> float:
    """Share of equal pixels (0..1) in the frame where two runs agree least; 0 where they saw other frames.

    `digests` are those of the class maps of all frames: equal ones are equal maps. Where they differ, the `maps`
    (H, W) that are kept of the first frames are compared pixel by pixel; of the others the confusion `matrices`
    (N, 19, 20) give an upper bound: two that differ in n counts differ in n / 2 labelled pixels or more.
    """
    if matrices[0].shape != matrices[1].shape or len(maps[0]) != len(maps[1]):
        return 0.0
    shares = [1.0]
    for digest, matrix, kept in zip_longest(
        zip(*digests, strict=True), zip(*matrices, strict=True), zip(*maps, strict=True)
    ):
        if digest[0] == digest[1]:
            continue
        moved = int(np.abs(matrix[0] - matrix[1]).sum()) / 2
        shares.append(float(np.mean(kept[0] == kept[1])) if kept else 1 - moved / max(int(matrix[0].sum()), 1))
    return min(shares)

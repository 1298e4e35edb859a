"""The frames that a network does worst on, held while frames go by: never more than were asked for."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.score import overlap

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Seen:
    """One frame as it was compared: its own mIoU (a fraction), label and prediction (H, W) as trainIds.

    A label's 255 does not count; a prediction's 19 is void.
    """

    stem: str
    miou: float
    label: NDArray[np.uint8]
    prediction: NDArray[np.uint8]

    @property
    def place(self) -> tuple[float, str]:
        """What frames are ordered by, worst first: mIoU, then the stem."""
        return self.miou, self.stem


class Worst:
    """The `most` worst of the frames that were offered, worst first in `frames`; frames without a label have no mIoU."""

    def __init__(self, most: int) -> None:
        self.frames: list[Seen] = []
        self._most = most

    def offer(
        self, stem: str, matrix: NDArray[np.int64], label: NDArray[np.uint8], prediction: NDArray[np.uint8]
    ) -> None:
        """Hold copies of the label and prediction if the frame, by its (19, 20) matrix, is among the worst."""
        if not self._most:
            return
        (miou,) = overlap.of_frames(matrix[None]).tolist()
        if np.isnan(miou):
            return
        if len(self.frames) == self._most:
            if (miou, stem) >= self.frames[-1].place:
                return
            self.frames.pop()
        bisect.insort(self.frames, Seen(stem, miou, label.copy(), prediction.copy()), key=lambda seen: seen.place)


def stems(every: Sequence[str], matrices: NDArray[np.int64], most: int) -> tuple[str, ...]:
    """The stems of the `most` worst of all frames, worst first, by their matrices (frames, 19, 20)."""
    mious = overlap.of_frames(matrices).tolist()
    ordered = sorted((miou, stem) for miou, stem in zip(mious, every, strict=True) if not np.isnan(miou))
    return tuple(stem for _, stem in ordered[:most])

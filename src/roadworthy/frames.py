"""The worst frames as a report shows them: photographs, read again, beside labels and predictions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from roadworthy.data import decode
from roadworthy.data.cityscapes import Dataset
from roadworthy.evaluations import Evaluation
from roadworthy.score import worst
from roadworthy.score.worst import Seen
from roadworthy.workshop import Share

WIDEST = 512  # pixels of a photograph: a page shows many


def of_all(whole: Evaluation, own: Iterable[Seen], share: Share, most: int) -> list[Seen]:
    """The `most` worst frames of all processes, worst first, from the `own` worst of each; no other is sent."""
    wanted = worst.stems(whole.stems, whole.matrices, most)
    parts = share.gathered([seen for seen in own if seen.stem in wanted])
    return sorted((seen for part in parts for seen in part), key=lambda seen: seen.place)


def arrays(seen: Sequence[Seen], dataset: Dataset) -> dict[str, NDArray[Any]]:
    """What is kept of K frames, by name: `stems`, `mious`, `photographs`, `labels` and `predictions`, worst first.

    Photographs are (K, h, w, 3) RGB of at most 512 columns, labels and predictions (K, H, W) as they were compared.
    Frames of another size than the first are brought to its. Raises Problem where a photograph cannot be read again.
    """
    images = {frame.stem: frame.image for frame in dataset.frames}
    first = seen[0].label.shape
    height, width = decode.read_image(images[seen[0].stem]).shape[:2]
    size = (min(width, WIDEST), round(height * min(width, WIDEST) / width))
    return {
        "stems": np.asarray([one.stem for one in seen]),
        "mious": np.asarray([one.miou for one in seen]),
        "photographs": np.stack([_reduced(decode.read_image(images[one.stem]), size) for one in seen]),
        "labels": np.stack([decode.resize_label(one.label, first) for one in seen]),
        "predictions": np.stack([decode.resize_label(one.prediction, first) for one in seen]),
    }


def _reduced(photograph: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The photograph at (width, height)."""
    return np.asarray(Image.fromarray(photograph).resize(size, Image.Resampling.LANCZOS))

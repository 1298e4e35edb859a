"""Frames -> batches, decoded ahead by a small pool; memory holds a few batches whatever the number of frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from roadworthy.card import ModelCard
from roadworthy.data import decode, preprocess
from roadworthy.data.cityscapes import Dataset, Frame

WORKERS = 2
AHEAD = 4  # jobs done ahead of the one that is taken

Job = TypeVar("Job")
Done = TypeVar("Done")


@dataclass(frozen=True)
class Batch:
    """Input (N, 3, H, W) float32 with the frames and labels (trainIds, at the size they are compared at) it holds.

    The last batch may hold fewer frames than N: the places behind them repeat the first and are to be discarded.
    """

    inputs: NDArray[np.float32]
    frames: tuple[Frame, ...]
    labels: tuple[NDArray[np.uint8], ...]


def batches(card: ModelCard, dataset: Dataset, size: int) -> Iterator[Batch]:
    """All frames in order, `size` at a time."""
    recipe = preprocess.recipe(card)
    height, width = card.input.shape[1:]

    def decoded(frame: Frame) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        label = decode.read_label(frame.label, frame.label_kind)
        image = preprocess.apply(recipe, decode.read_image(frame.image))
        return image, decode.resize_label(label, (height, width)) if card.scoring.compare == "input" else label

    pairs = decoded_ahead(dataset.frames, decoded)
    for start in range(0, len(dataset), size):
        frames = dataset.frames[start : start + size]
        inputs = np.empty((size, *card.input.shape), np.float32)
        labels = []
        for slot in range(len(frames)):
            inputs[slot], label = next(pairs)
            labels.append(label)
        inputs[len(frames) :] = inputs[0]
        yield Batch(inputs, frames, tuple(labels))


def decoded_ahead(jobs: Iterable[Job], work: Callable[[Job], Done], ahead: int = AHEAD) -> Iterator[Done]:
    """`work(job)` of all jobs in order, at most `ahead` of them done or under way before they are asked for."""
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting: deque[Future[Done]] = deque()
        try:
            for job in jobs:
                waiting.append(pool.submit(work, job))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

"""Frames -> batches, decoded ahead by a small pool; memory holds a few batches whatever the number of frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
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


def batches(card: ModelCard, dataset: Dataset, size: int, *, bursts: bool = False) -> Iterator[Batch]:
    """All frames in order, `size` at a time; the next batch is decoded while one is in use, or in `bursts` between."""
    recipe = preprocess.recipe(card)
    height, width = card.input.shape[1:]

    def jobs() -> Iterator[tuple[NDArray[np.float32], int, Frame]]:
        for index, frame in enumerate(dataset.frames):
            if index % size == 0:
                inputs = np.empty((size, *card.input.shape), np.float32)
            yield inputs, index % size, frame

    def fill(job: tuple[NDArray[np.float32], int, Frame]) -> tuple[NDArray[np.float32], Frame, NDArray[np.uint8]]:
        inputs, slot, frame = job
        preprocess.apply(recipe, decode.read_image(frame.image), inputs[slot])
        label = decode.read_label(frame.label, frame.label_kind)
        return inputs, frame, decode.resize_label(label, (height, width)) if card.scoring.compare == "input" else label

    filled = in_order(fill, jobs(), max(size, AHEAD), bursts=bursts)
    while slots := list(islice(filled, size)):
        inputs = slots[0][0]
        inputs[len(slots) :] = inputs[0]
        yield Batch(inputs, tuple(frame for _, frame, _ in slots), tuple(label for _, _, label in slots))


def in_order(
    work: Callable[[Job], Done],
    jobs: Iterable[Job],
    ahead: int = AHEAD,
    *,
    bursts: bool = False,
    workers: int = WORKERS,
) -> Iterator[Done]:
    """`work(job)` of all jobs in order, on a small pool; at most `ahead` are begun before they are asked for.

    With `bursts`, `ahead` jobs are done at once when the first of them is asked for, and nothing in between: beside a
    session that uses all cores of the host, work would make the session's threads wait for each other.

    Whoever leaves before the end waits for no job: one that was begun ends by itself. A generator left behind by an
    error is closed by the garbage collector, in whatever thread that runs: to join threads there can wait for ever.
    """
    pool = ThreadPoolExecutor(workers)
    waiting: deque[Future[Done]] = deque()
    todo = iter(jobs)
    try:
        while True:
            if not bursts or not waiting:
                waiting.extend(pool.submit(work, job) for job in islice(todo, ahead - len(waiting)))
            if not waiting:
                return
            if bursts:
                wait(waiting)
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)

"""Frames -> the batches of one process, the same whoever asks: order and crops depend on seed, epoch and frame."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from roadworthy.card import ModelCard
from roadworthy.data import decode, preprocess, stream
from roadworthy.data.cityscapes import Dataset
from roadworthy.problem import Problem
from roadworthy.train.augment import Cut
from roadworthy.train.plan import Plan

AHEAD = 3  # batches made ahead of the step that uses them

Crop = tuple[NDArray[np.float32], NDArray[np.uint8]]


def batches(  # noqa: PLR0913, PLR0917  all that a batch depends on
    card: ModelCard, dataset: Dataset, plan: Plan, first: int = 0, rank: int = 0, workers: int = stream.WORKERS
) -> Iterator[tuple[Tensor, Tensor]]:
    """(images (N, 3, h, w) float32, labels (N, h, w) int64) of one process, from step `first` on, made ahead by a pool.

    A step's crops are dealt out batch by batch: with half the processes and twice the accumulation they are the same.
    """
    recipe = preprocess.recipe(card)
    recipe = preprocess.Recipe(None, recipe.table)  # what is cut has its size
    cut = Cut(plan.crop, plan.short, plan.blur)

    def crop(job: tuple[int, int]) -> Crop:
        epoch, index = job
        frame = dataset.frames[index]
        rng = np.random.default_rng([plan.seed, epoch, index, 1])  # the order has the seeds that end here
        image, label = decode.read_image(frame.image), decode.read_label(frame.label, frame.label_kind)
        if image.shape[:2] != label.shape:
            found, right = ("x".join(map(str, shape[1::-1])) for shape in (label.shape, image.shape))
            raise Problem(f"{frame.label}: {found}, but its photograph is {right}")
        pixels, ids = cut(image, label, rng)
        return preprocess.apply(recipe, pixels), ids

    jobs = dealt(plan, len(dataset), first, rank)
    made = stream.in_order(crop, jobs, AHEAD * plan.batch, workers=workers)
    while pairs := list(islice(made, plan.batch)):
        images, labels = zip(*pairs, strict=True)
        yield torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(labels)).long()


def dealt(plan: Plan, frames: int, first: int, rank: int) -> Iterator[tuple[int, int]]:
    """(epoch, index of a frame) of the crops of one process, from step `first` on; every epoch has an order of its own."""
    steps = plan.steps_of_epoch(frames)
    for step in range(first, plan.last(frames)):
        epoch, place = divmod(step, steps)
        if place == 0 or step == first:
            order = np.random.default_rng([plan.seed, epoch]).permutation(frames)
        whole = order[place * plan.global_batch : (place + 1) * plan.global_batch]
        for turn in range(plan.accumulate):
            start = (turn * plan.devices + rank) * plan.batch
            yield from ((epoch, int(index)) for index in whole[start : start + plan.batch])


def class_weights(card: ModelCard, dataset: Dataset, offset: float) -> Tensor:
    """(channels,) float32: 1/ln(`offset` + a class's share of all labelled pixels); 0 for channels without a class."""
    classes = 19

    def counted(index: int) -> NDArray[np.int64]:
        frame = dataset.frames[index]
        label = decode.resize_label(decode.read_label(frame.label, frame.label_kind), card.input.shape[1:])  # type: ignore[arg-type]
        return np.bincount(label.ravel(), minlength=256)[:classes]

    counts = sum(stream.in_order(counted, range(len(dataset))), np.zeros(classes))
    weight = torch.zeros(card.net.classes)
    weight[:classes] = torch.from_numpy(1 / np.log(offset + counts / max(counts.sum(), 1)))
    return weight

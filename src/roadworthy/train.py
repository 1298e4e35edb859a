"""Frames with labels -> weights: one process, one plain loop."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from roadworthy import network
from roadworthy.card import ModelCard
from roadworthy.data import decode, preprocess, stream
from roadworthy.data.cityscapes import Dataset, Frame
from roadworthy.problem import Problem

IGNORED = 255
CLASSES = 19
AHEAD = 3  # batches made ahead of the step that uses them


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a training run does; `crop` is the height of a crop twice as wide (pixels of the network's input)."""

    epochs: int = 40
    batch: int = 4
    crop: int = 256
    max_steps: int | None = None
    rate: float = 1e-3
    seed: int = 0

    def steps(self, frames: int) -> int:
        """Optimiser steps of the whole run."""
        steps = self.epochs * (frames // self.batch)
        return min(steps, self.max_steps) if self.max_steps is not None else steps


@dataclass(frozen=True)
class Step:
    """One step as the progress line shows it."""

    number: int
    total: int
    loss: float
    rate: float
    frames_per_second: float


def fresh(card: ModelCard, seed: int) -> nn.Module:
    """The card's network with seeded weights, laid out for training on a CPU; Problem where it has another loss."""
    if card.output.kind != "logits" or card.output.count > 1 or card.output.stride > 1:
        raise Problem(f"{card.key}: cannot be trained here; networks with one output, logits of the input's size, can")
    torch.manual_seed(seed)
    module: nn.Module = network.build(card).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module


def train(module: nn.Module, card: ModelCard, dataset: Dataset, plan: Plan, progress: Callable[[Step], None]) -> None:
    """Train `module` in place on all frames of `dataset`; it ends in evaluation mode.

    Cross-entropy over the 19 classes, weighted 1/ln(1.1 + share) against rare classes as ERFNet's paper does (after
    ENet); Adam with polynomial decay of the rate. Raises Problem where no batch can be made or the loss is not finite.
    """
    total = plan.steps(len(dataset))
    if not total:
        raise Problem(f"{dataset.root}: {len(dataset)} training frames are fewer than one batch of {plan.batch}")
    if plan.crop % 8 or not 0 < plan.crop <= card.input.shape[1]:
        raise Problem(f"--crop {plan.crop}: it must be a multiple of 8 up to {card.input.shape[1]}")
    module.train()
    weight = class_weights(card, dataset)
    optimizer = torch.optim.Adam(module.parameters(), plan.rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 - step / total) ** 0.9)
    began = time.perf_counter()
    for number, (images, labels) in enumerate(batches(card, dataset, plan), 1):
        logits = module(images.contiguous(memory_format=torch.channels_last))
        loss = functional.cross_entropy(logits, labels, weight, ignore_index=IGNORED)
        if not math.isfinite(loss.item()):
            raise Problem(f"the loss is {loss.item()} at step {number}, rate {schedule.get_last_lr()[0]:.2g}")
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        rate = float(schedule.get_last_lr()[0])
        schedule.step()
        speed = number * plan.batch / (time.perf_counter() - began)
        progress(Step(number, total, loss.item(), rate, speed))
    module.eval()


def batches(card: ModelCard, dataset: Dataset, plan: Plan) -> Iterator[tuple[Tensor, Tensor]]:
    """(images (N, 3, crop, 2 crop) float32, labels (N, crop, 2 crop) int64) of the whole run, made ahead by a pool.

    Order, crops and flips depend on the seed, the epoch and the frame only.
    """
    recipe = preprocess.recipe(card)
    height, width = card.input.shape[1:]

    def crop(frame: Frame, epoch: int, index: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        rng = np.random.default_rng([plan.seed, epoch, index])
        image = preprocess.apply(recipe, decode.read_image(frame.image))
        label = decode.resize_label(decode.read_label(frame.label, frame.label_kind), (height, width))
        y, x = rng.integers(height - plan.crop + 1), rng.integers(width - 2 * plan.crop + 1)
        window = np.s_[..., y : y + plan.crop, x : x + 2 * plan.crop]
        flip = np.s_[..., :: -1 if rng.random() < 0.5 else 1]
        return image[window][flip].copy(), label[window][flip].astype(np.int64)

    order = [
        (epoch, int(index))
        for epoch in range(plan.epochs)
        for index in np.random.default_rng([plan.seed, epoch]).permutation(len(dataset))[
            : len(dataset) // plan.batch * plan.batch
        ]
    ][: plan.steps(len(dataset)) * plan.batch]
    made = stream.in_order(lambda job: crop(dataset.frames[job[1]], *job), order, AHEAD * plan.batch)
    while pairs := list(islice(made, plan.batch)):
        images, labels = zip(*pairs, strict=True)
        yield torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(labels))


def class_weights(card: ModelCard, dataset: Dataset) -> Tensor:
    """(channels,) float32 weights of the loss from the labels of all training frames; a void channel has none."""
    counts = np.zeros(CLASSES)
    for frame in dataset.frames:
        label = decode.resize_label(decode.read_label(frame.label, frame.label_kind), card.input.shape[1:])  # type: ignore[arg-type]
        counts += np.bincount(label.ravel(), minlength=256)[:CLASSES]
    weight = torch.zeros(card.net.classes)
    weight[:CLASSES] = torch.from_numpy(1 / np.log(1.1 + counts / max(counts.sum(), 1)))
    return weight


def save(module: nn.Module, path: Path, plan: Plan, made_by: dict[str, str]) -> None:
    """Weights as float16 safetensors, with the plan and `made_by` (command, commit, ...) in its header.

    Raises Problem naming a file that cannot be written; nothing is left of one cut short.
    """
    state = {
        name: tensor.half().contiguous() if tensor.is_floating_point() else tensor
        for name, tensor in module.state_dict().items()
    }
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(safetensors.torch.save(state, {k: str(v) for k, v in {**asdict(plan), **made_by}.items()}))
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise Problem(f"{path}: the weights could not be written ({error.strerror})") from error

"""What the losses of models are made of: cross-entropy of an output with the label at the output's size."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from roadworthy.train.augment import IGNORED

Shrink = Callable[[Tensor, "tuple[int, int]"], Tensor]


def nearest(label: Tensor, size: tuple[int, int]) -> Tensor:
    """The label (N, H, W) at another size, corners on corners as the networks' own resizing: every pixel is one of its.

    Gives back the label itself where the size fits.
    """
    if label.shape[-2:] == size:
        return label
    rows, columns = (
        torch.linspace(0, before - 1, after, device=label.device).round().long()
        for before, after in zip(label.shape[-2:], size, strict=True)
    )
    return label[:, rows][:, :, columns]


def bilinear(label: Tensor, size: tuple[int, int]) -> Tensor:
    """The guide's way, for comparison: ids are mixed as if they were numbers, which invents classes between two.

    The script's ignored pixels are -1: half of one is class 0.
    """
    signed = label.where(label != IGNORED, -1).float().unsqueeze(1)
    mixed = functional.interpolate(signed, size, mode="bilinear", align_corners=True).squeeze(1).long()
    return mixed.where(mixed >= 0, IGNORED)


def entropy(output: Tensor, label: Tensor, weight: Tensor | None, shrink: Shrink) -> Tensor:
    """Mean cross-entropy of logits (N, C, h, w) over the pixels that the label (N, H, W) does not ignore; 0 without any.

    `weight` (C,) weighs the pixels of a class.
    """
    height, width = output.shape[-2:]
    label = shrink(label, (height, width))
    total = functional.cross_entropy(output.float(), label, weight, ignore_index=IGNORED, reduction="sum")
    counted = label != IGNORED
    share = counted.sum() if weight is None else (weight[label.where(counted, 0)] * counted).sum()
    return total / torch.where(share > 0, share, torch.ones_like(share))

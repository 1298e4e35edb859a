"""Learning rates: the words of a card's `[train].schedule`. Each is the share of the first rate at a step."""

from __future__ import annotations

import math


def cosine(step: int, total: int, warmup: int) -> float:
    """From 0 to 1 in a line over `warmup` steps, then down to 0 along half a cosine (Loshchilov and Hutter, 2017)."""
    if step < warmup:
        return (step + 1) / warmup
    return (1 + math.cos(math.pi * (step - warmup) / max(total - warmup, 1))) / 2


def poly(step: int, total: int, warmup: int) -> float:
    """From 0 to 1 in a line over `warmup` steps, then down to 0 by the power 0.9 (ERFNet's paper, after ENet)."""
    if step < warmup:
        return (step + 1) / warmup
    return float((1 - (step - warmup) / max(total - warmup, 1)) ** 0.9)

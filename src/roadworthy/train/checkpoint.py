"""What a run leaves on disk: the best weights in the published layout, and the last state, from which it goes on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import safetensors.torch
import torch
from torch import Tensor, nn

from roadworthy import network, whole
from roadworthy.card import ModelCard
from roadworthy.problem import Problem
from roadworthy.train.plan import Plan

LAST = "last.pth"
FRESH = "fresh"  # the weights of a run that no checkpoint began
FORMAT = 1  # of LAST


@dataclass
class History:
    """What a run has seen: loss and rate of every step, speed of every window of steps, mIoU of validated epochs.

    A window is warm (1) but for the first one of a process (0).
    """

    losses: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    windows: list[list[float]] = field(default_factory=list)  # [last step, images, seconds, of them waiting, warm]
    scores: list[list[float]] = field(default_factory=list)  # [epoch, step, mIoU]

    def images_per_second(self, begun: int = 0) -> float | None:
        """Of all warm windows from number `begun` on, validation and checkpoints left out; None where there is none."""
        warm = [row for row in self.windows[begun:] if row[4]]
        return sum(row[1] for row in warm) / sum(row[2] for row in warm) if warm else None

    @property
    def best(self) -> list[float] | None:
        """The best epoch's row; the first of equals."""
        return max(self.scores, key=lambda row: row[2], default=None)


def state(plan: Plan, step: int, history: History, **parts: Any) -> dict[str, Any]:
    """All that a run needs to go on as if it had never stopped; order, crops and dropout follow from seed and step.

    `parts` have states of their own: `module`, `optimizer`, `scaler`.
    """
    return {
        "format": FORMAT,
        "plan": plan.saved(),
        "step": step,
        "history": vars(history),
        **{"state_dict" if name == "module" else name: part.state_dict() for name, part in parts.items()},
    }


def read(path: Path, model: str) -> dict[str, Any]:
    """What `state` gave, read without running code of the file.

    Raises Problem naming the file where it is missing, damaged, or no state of this model.
    """
    found = network.read_pickle(path)
    if not isinstance(found, dict) or not {"format", "plan", "step", "optimizer"} <= found.keys():
        raise Problem(f"{path}: weights without the state of a run, which {LAST} holds; --finetune begins with weights")
    if found["format"] != FORMAT:
        raise Problem(
            f"{path}: of format {found['format']}; this version goes on with {FORMAT}; --finetune begins with its weights"
        )
    if found["plan"].get("model") != model:
        raise Problem(f"{path}: the run of another model: {found['plan'].get('model')}, not {model}")
    return found


def published(module: nn.Module, prefix: str) -> dict[str, Tensor]:
    """Names and tensors on the host, as the model's published checkpoint has them."""
    return {f"{prefix}{name}": tensor.detach().cpu() for name, tensor in module.state_dict().items()}


def save(content: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint; a run killed meanwhile leaves the older one. Raises Problem where it cannot be written."""
    write(path, lambda file: torch.save(dict(content), file))


def save_half(module: nn.Module, path: Path, header: Mapping[str, str]) -> None:
    """The weights as float16 safetensors, half the size, with a header that says what made them."""
    tensors = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).cpu().contiguous()
        for name, tensor in module.state_dict().items()
    }
    content = safetensors.torch.save(tensors, dict(header))
    write(path, lambda file: file.write(content))


def write(path: Path, fill: Callable[[IO[bytes]], object]) -> None:
    """A checkpoint that is whole or not there; raises Problem naming it."""
    with whole.written(path, "checkpoint", "; an older one is kept") as part, part.open("wb") as file:
        try:
            fill(file)
        except RuntimeError as error:  # so torch tells a full disk
            raise OSError(str(error) or type(error).__name__) from error
        file.flush()
        os.fsync(file.fileno())


def begin(card: ModelCard, module: nn.Module, path: Path) -> list[str]:
    """Give the module the weights of a checkpoint, also one of another number of classes.

    Returns the names of the classifiers that keep their fresh weights: those that differ in the number of classes
    alone, all by the same. Raises Problem where anything else differs.
    """
    have, want = network.read_checkpoint(path), module.state_dict()
    other = {name: _classes(have[name], want[name], card.net.classes) for name in want if name in have}
    fresh = [name for name, classes in other.items() if classes]
    if len({other[name] for name in fresh}) > 1:
        fresh = []  # then they are no classifiers
    module.load_state_dict(network.matched(card, path, {**have, **{name: want[name] for name in fresh}}, want))
    return fresh


def _classes(have: Tensor, want: Tensor, classes: int) -> int | None:
    """The number of classes of one tensor where nothing but that is unlike the other's."""
    if have.dim() != want.dim():
        return None
    unlike = [(a, b) for a, b in zip(have.shape, want.shape, strict=True) if a != b]
    return unlike[0][0] if len(unlike) == 1 and unlike[0][1] == classes else None

"""Card and checkpoint -> torch module in evaluation mode."""

from __future__ import annotations

import math
import pickle
import warnings
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import safetensors
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from roadworthy.card import ModelCard
from roadworthy.problem import Problem

Stage = Literal["evaluated", "exported", "operated"]  # surgery may make another network of the one exported

WRAPPERS = (("module.", ""), ("model.", "loss."))  # what a wrapper puts before every key, and keys of its own


def build(card: ModelCard, stage: Stage = "evaluated") -> nn.Module:
    """The card's network with fresh weights, as it is at this stage of the road."""
    names = {"net.build": card.net.build}
    if stage != "evaluated" and card.export.build:
        names["export.build"] = card.export.build
    if stage == "operated" and card.export.operated:
        names["export.operated"] = card.export.operated
    key, name = list(names.items())[-1]
    make = card.lookup(name, key=key)
    try:
        module = make(card.net.classes)
    except Exception as error:  # whatever a model's own code raises
        raise Problem(f"{card.path.with_name('net.py')}: {name}({card.net.classes}) fails: {error!r}") from error
    if not isinstance(module, nn.Module):
        raise Problem(f"{card.path}: {key} {name!r} gives {type(module).__name__}, not a torch module")
    return module


def load(card: ModelCard, weights: Path, stage: Stage = "evaluated") -> nn.Module:
    """The card's network with the weights of a checkpoint, names matched strictly, in evaluation mode.

    Raises Problem naming the first missing and unexpected keys where the checkpoint is another network's.
    """
    module = build(card, stage)
    module.load_state_dict(matched(card, weights, read_checkpoint(weights), module.state_dict()))
    return module.eval()


def matched(card: ModelCard, path: Path, have: dict[str, Tensor], want: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`have`, read from `path`, where its names and shapes are those of the card's network, `want`.

    Raises Problem naming the first missing and unexpected keys, or the first shape, where they are another network's.
    """
    missing = [k for k in want if k not in have]
    unexpected = [k for k in have if k not in want]
    if missing or unexpected:
        parts = [
            f"{len(keys)} {word}, first {keys[0]!r}"
            for keys, word in ((missing, "missing"), (unexpected, "unexpected"))
            if keys
        ]
        raise Problem(f"{path}: not the weights of {card.key}: of its {len(want)} keys {' and '.join(parts)}")
    for name, tensor in want.items():
        if have[name].shape != tensor.shape:
            found, right = list(have[name].shape), list(tensor.shape)
            raise Problem(f"{path}: not the weights of {card.key}: {name!r} has shape {found}; it must be {right}")
    return have


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """Names and tensors of a published checkpoint (`.pth`, or float16 `.safetensors` widened to float32).

    An outer `state_dict`, a prefix of a wrapper (`module.`, or `model.` beside a `loss.` that is dropped), are taken
    off; `num_batches_tracked` that old files lack are zero. Pickled code is never run. Raises Problem naming the file.
    """
    path = Path(path)
    content = _read_safetensors(path) if path.suffix == ".safetensors" else read_pickle(path)
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise Problem(f"{path}: not a checkpoint: it holds no table of names and tensors")
    for prefix, dropped in WRAPPERS:
        kept = {key: value for key, value in content.items() if not (dropped and key.startswith(dropped))}
        if kept and all(key.startswith(prefix) for key in kept):
            content = {key.removeprefix(prefix): value for key, value in kept.items()}
    state = {k: v.float() if v.dtype == torch.float16 else v for k, v in content.items()}
    for key in [k for k in state if k.endswith(".running_mean")]:
        state.setdefault(key.replace("running_mean", "num_batches_tracked"), torch.zeros((), dtype=torch.int64))
    return state


def _read_safetensors(path: Path) -> object:
    _check_is_there(path)
    try:
        return safetensors.torch.load_file(path)
    except safetensors.SafetensorError as error:
        raise Problem(f"{path}: damaged or no safetensors file ({error})") from None


def read_pickle(path: Path) -> object:
    """What a `.pth` holds: tensors and plain values; code in it is never run. Raises Problem naming the file."""
    _check_is_there(path)
    try:
        with warnings.catch_warnings():  # torch warns of unusual pickles before it refuses them
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise Problem(
            f"{path}: refused: no checkpoint of plain tensors (anything else in a pickle could run code when loaded); "
            "save a state_dict with torch.save"
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Problem(f"{path}: damaged or truncated checkpoint ({reason})") from None


def _check_is_there(path: Path) -> None:
    if not path.is_file():
        raise Problem(f"{path}: there is no such file; a checkpoint is a .pth or .safetensors")


def save_untrained(card: ModelCard, frame: NDArray[np.float32], path: Path) -> None:
    """Write weights that nobody trained: He-normal by each parameter's name, BatchNorms settled on `frame` (1, 3, H, W).

    Every layer's activations are of order one, so that graphs of a network without a checkpoint can be compared.
    """
    module = build(card).eval()
    for name, value in module.state_dict().items():
        if value.is_floating_point() and "running_" not in name:
            value.copy_(_drawn(name, value.shape))
    for part in module.modules():
        norms = [child for child in part.children() if isinstance(child, nn.BatchNorm2d)]
        for norm in norms:
            norm.register_forward_pre_hook(_settle)
        if len(norms) > 1:  # the last of a residual branch: as strong as what it is added to, it would double variance
            norms[-1].weight.data *= 0.25
    try:
        with torch.inference_mode():
            module(torch.from_numpy(frame))
    except Exception as error:  # whatever a model's own code raises
        size = "x".join(map(str, frame.shape))
        raise Problem(f"{card.path.with_name('net.py')}: the network fails on an input of {size}: {error!r}") from error
    safetensors.torch.save_file(module.state_dict(), path)


def _drawn(name: str, shape: torch.Size) -> Tensor:
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    value = torch.randn(shape, generator=generator)
    if len(shape) > 1:  # a kernel; most of its mean goes, or ReLU's offset would drown what differs between pixels
        value *= math.sqrt(2 / math.prod(shape[1:]))
        return value - 0.9 * value.mean(dim=tuple(range(1, len(shape))), keepdim=True)
    return 1 + 0.25 * value.clamp(-2, 2) if name.endswith("weight") else 0.1 * value


def _settle(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Give a BatchNorm the power of what it is about to see, one for all channels, and no mean.

    Means of every channel would be taken off exactly and what is left enlarged, layer by layer: rounding errors too.
    A power is rounded to one of two, so that weights are the same however many threads have summed it.
    """
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_var is not None
    power = max(float(inputs[0].square().mean()), 1e-12)  # of an input of zeros there is none
    if not math.isfinite(power):
        raise ValueError("what a BatchNorm sees is not finite")
    norm.running_var.fill_(2.0 ** round(math.log2(power)))

"""Card and checkpoint -> torch module in evaluation mode."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from roadworthy.card import ModelCard
from roadworthy.problem import Problem


def build(card: ModelCard) -> nn.Module:
    """The card's network with fresh weights."""
    module = card.lookup(card.net.build)(card.net.classes)
    if not isinstance(module, nn.Module):
        raise Problem(f"{card.path}: net.build {card.net.build!r} gives {type(module).__name__}, not a torch module")
    return module


def load(card: ModelCard, weights: Path) -> nn.Module:
    """The card's network with the weights of a checkpoint, names matched strictly, in evaluation mode.

    Raises Problem naming the first missing and unexpected keys where the checkpoint is another network's.
    """
    module = build(card)
    have, want = read_checkpoint(weights), module.state_dict()
    missing = [k for k in want if k not in have]
    unexpected = [k for k in have if k not in want]
    if missing or unexpected:
        parts = [
            f"{len(keys)} {word}, first {keys[0]!r}"
            for keys, word in ((missing, "missing"), (unexpected, "unexpected"))
            if keys
        ]
        raise Problem(f"{weights}: not the weights of {card.key}: of its {len(want)} keys {' and '.join(parts)}")
    for name, tensor in want.items():
        if have[name].shape != tensor.shape:
            found, right = list(have[name].shape), list(tensor.shape)
            raise Problem(f"{weights}: not the weights of {card.key}: {name!r} has shape {found}; it must be {right}")
    module.load_state_dict(have)
    return module.eval()


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """Names and tensors of a published checkpoint (`.pth`, or float16 `.safetensors` widened to float32).

    An outer `state_dict`, and a `module.` prefix that every key carries, are taken off; `num_batches_tracked` that
    old files lack are zero. Pickled code is never run. Raises Problem naming the file.
    """
    path = Path(path)
    if not path.is_file():
        raise Problem(f"{path}: there is no such file; --weights takes a checkpoint (.pth or .safetensors)")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise Problem(f"{path}: not a checkpoint: it holds no table of names and tensors")
    if all(key.startswith("module.") for key in content):
        content = {key.removeprefix("module."): value for key, value in content.items()}
    state = {k: v.float() if v.dtype == torch.float16 else v for k, v in content.items()}
    for key in [k for k in state if k.endswith(".running_mean")]:
        state.setdefault(key.replace("running_mean", "num_batches_tracked"), torch.zeros((), dtype=torch.int64))
    return state


def _read_safetensors(path: Path) -> object:
    try:
        return safetensors.torch.load_file(path)
    except safetensors.SafetensorError as error:
        raise Problem(f"{path}: damaged or no safetensors file ({error})") from None


def _read_pickle(path: Path) -> object:
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

"""The torch module itself: the reference that graphs are compared with, and framework inference on a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from roadworthy import network
from roadworthy.problem import OutOfMemory

if TYPE_CHECKING:
    from torch import nn

    from roadworthy.case import Case
    from roadworthy.soc import Soc


class Session:
    """A torch module on one device, in evaluation mode, without gradients."""

    def __init__(self, module: nn.Module, device: torch.device) -> None:
        self._module = module.to(device).eval()
        self._device = device
        self.provider = str(next(self._module.parameters()).device)
        self.threads = torch.get_num_threads() if device.type == "cpu" else 0

    def run(self, batch: NDArray[np.float32]) -> list[NDArray[np.generic]]:
        """Outputs (N, ...) of one batch (N, 3, H, W)."""
        try:
            with torch.inference_mode():
                outputs = self._module(torch.from_numpy(batch).to(self._device))
        except RuntimeError as error:  # torch.OutOfMemoryError is one; the CPU's allocator raises no other type
            if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
                told = f"batch {len(batch)} does not fit in the memory of {self._device} ({error})"
                raise OutOfMemory(told) from error
            raise
        return [o.cpu().numpy() for o in (outputs if isinstance(outputs, (tuple, list)) else (outputs,))]


def missing(soc: Soc) -> str | None:
    """Torch runs the CPU, and a GPU whose name holds the chip's name."""
    if soc.name == "cpu":
        return None
    if soc.unnamed:
        return f"{soc.name} is what guides call a chip without naming it; --soc takes the chip's own name"
    if not torch.cuda.is_available():
        return f"torch sees no CUDA device, so there is no {soc.name}; it needs a driver and a CUDA build of torch"
    name = torch.cuda.get_device_name(0)
    return None if soc.name in name.split() or soc.name in name.split("-") else f"the GPU is {name}, not {soc.name}"


def build(case: Case, onnx: Path, weights: Path) -> Path:  # noqa: ARG001  one signature for all runtimes
    """The weights: torch needs no graph."""
    return weights


def plan(case: Case) -> str:
    """The session in words."""
    return f"eager: no build; torch {torch.__version__} on {case.soc.name}, batch {case.batch}"


def open_session(artifact: Path, case: Case, stage: network.Stage = "evaluated") -> Session:
    """The card's network at a stage of its road with the weights, on the CPU for `cpu`, else on the first GPU."""
    device = torch.device("cpu" if case.soc.name == "cpu" else "cuda")
    return Session(network.load(case.card, artifact, stage), device)

"""The torch module itself: the reference that graphs are compared with, and framework inference on a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from roadworthy import network
from roadworthy.problem import OutOfMemory
from roadworthy.runtimes import Job, nvidia_smi
from roadworthy.runtimes.wall import WallSession

if TYPE_CHECKING:
    from torch import nn

    from roadworthy.case import Case
    from roadworthy.soc import Soc


class Session(WallSession):
    """A torch module on one device, in evaluation mode, without gradients."""

    def __init__(self, module: nn.Module, device: torch.device, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
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


def missing(soc: Soc, road: str) -> str | None:  # noqa: ARG001  one signature for all runtimes
    """Torch runs the CPU, and a GPU whose name holds the chip's name."""
    if soc.name == "cpu":
        return None
    if soc.unnamed:
        return f"{soc.name} is what guides call a chip without naming it; --soc takes the chip's own name"
    if soc.vendor != "nvidia":
        return f"torch runs the cpu and CUDA GPUs here, not {soc.name}"
    if not torch.cuda.is_available():
        return f"torch sees no CUDA device, so there is no {soc.name}; it needs a driver and a CUDA build of torch"
    names = [torch.cuda.get_device_name(device) for device in range(torch.cuda.device_count())]
    if any(nvidia_smi.matches(name, soc.name) for name in names):
        return None
    return f"the GPU is {' and '.join(names)}, not {soc.name}"


def build(case: Case, job: Job) -> Path:  # noqa: ARG001  one signature for all runtimes
    """The weights: torch needs no graph."""
    return job.weights


def plan(case: Case, device: int) -> list[str]:  # noqa: ARG001  one signature for all runtimes
    """The session in words."""
    return [f"eager: no build; torch {torch.__version__} on {case.soc.name}, batch {case.batch}"]


def open_session(artifact: Path, case: Case, job: Job) -> Session:
    """The network that is evaluated, on the CPU for `cpu`, else on the job's GPU."""
    device = torch.device("cpu" if case.soc.name == "cpu" else f"cuda:{job.device}")
    return at_stage(artifact, case, "evaluated", device)


def at_stage(weights: Path, case: Case, stage: network.Stage, device: torch.device | None = None) -> Session:
    """The card's network at a stage of its road with the weights, on the CPU unless a device is given."""
    module = network.load(case.card, weights, stage)
    return Session(module, device or torch.device("cpu"), (case.batch, *case.card.input.shape))

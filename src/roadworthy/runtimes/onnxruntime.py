"""ONNX Runtime on the CPU."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort
import psutil
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as state

from roadworthy.problem import OutOfMemory, Problem

if TYPE_CHECKING:
    from roadworthy.case import Case
    from roadworthy.soc import Soc

PROVIDER = "CPUExecutionProvider"
NO_MEMORY = ("bad_alloc", "Failed to allocate memory", "out of memory")


class Session:
    """One graph loaded on all physical cores that this process may use."""

    def __init__(self, graph: Path, batch: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads = physical_cores()
        try:
            self._session = ort.InferenceSession(graph, options, providers=[PROVIDER])
        except (state.Fail, state.InvalidGraph, state.InvalidProtobuf, state.NotImplemented) as error:
            raise Problem(f"{graph}: ONNX Runtime cannot load this graph ({error})") from error
        self.provider = self._session.get_providers()[0]
        self.batch = batch
        self._input = self._session.get_inputs()[0].name

    def run(self, batch: NDArray[np.float32]) -> list[NDArray[np.generic]]:
        """Outputs (N, ...) of one batch (N, 3, H, W)."""
        if len(batch) != self.batch:
            raise ValueError(f"the session was opened for batch {self.batch}, the input holds {len(batch)}")
        try:
            outputs: list[NDArray[np.generic]] = self._session.run(None, {self._input: batch})
        except (state.RuntimeException, state.Fail, MemoryError) as error:
            if isinstance(error, MemoryError) or any(mark in str(error) for mark in NO_MEMORY):
                raise OutOfMemory(f"batch {self.batch} does not fit in memory ({error})") from error
            raise
        return outputs


def missing(soc: Soc) -> str | None:
    """ONNX Runtime runs the CPU; other chips have runtimes of their own."""
    return None if soc.name == "cpu" else f"ONNX Runtime runs the cpu here, not {soc.name}"


def build(case: Case, onnx: Path, weights: Path) -> Path:  # noqa: ARG001  one signature for all runtimes
    """The graph itself: ONNX Runtime needs no build."""
    return onnx


def plan(case: Case) -> str:
    """The session in words."""
    return f"onnxruntime: no build; {PROVIDER}, batch {case.batch}, {physical_cores()} threads"


def open_session(artifact: Path, case: Case) -> Session:
    """A session for the case's batch size."""
    return Session(artifact, case.batch)


def physical_cores() -> int:
    """Physical cores that this process may run on."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(psutil.cpu_count(logical=False) or 1, allowed))

"""ONNX Runtime on the CPU, and through providers of GPUs and Ascend chips, which must run the graph in fact.

Source of the providers' options: onnxruntime.ai/docs/execution-providers.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnxruntime as ort
import psutil
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as state

from roadworthy import cache, fingerprint
from roadworthy.problem import CaseFailed, OutOfMemory, Problem
from roadworthy.runtimes import Job, devices, nvidia_smi, placement
from roadworthy.runtimes.wall import WallSession

if TYPE_CHECKING:
    from roadworthy.case import Case
    from roadworthy.soc import Soc

CPU, CUDA, TENSORRT, CANN = (f"{name}ExecutionProvider" for name in ("CPU", "CUDA", "Tensorrt", "CANN"))
RECORD = "session.record_ep_graph_assignment_info"  # since 1.24; older versions pass it over, and tell by a profile
RECORDS = hasattr(ort.InferenceSession, "get_provider_graph_assignment_info")
NO_MEMORY = (
    "bad_alloc",
    "Cannot allocate memory",  # ENOMEM, also of a thread
    "Failed to allocate memory",
    "out of memory",  # CUDA failure 2, and what TensorRT says
    "OutOfMemory",
    "cudaErrorMemoryAllocation",
    "BFCArena",
    "_STATUS_ALLOC_FAILED",  # cuDNN, cuBLAS
    "failure 207001",  # of CANN: ACL_ERROR_RT_MEMORY_ALLOCATION
)
UNREADABLE = (state.InvalidGraph, state.InvalidProtobuf, state.NotImplemented)
FAILURES = (state.Fail, state.RuntimeException, state.EPFail, RuntimeError, MemoryError)
TENSORRT_MAJOR = 10  # the last one that takes the precision from its builder
AS_ASKED = {"arena_extend_strategy": "kSameAsRequested"}  # doubling would call a batch too large that fits


@dataclass(frozen=True)
class Road:
    """Providers with their options: the first is judged, what it lacks may go to the others."""

    providers: Mapping[str, Mapping[str, str]]
    vendor: Literal["host", "nvidia", "huawei"]
    chips: str
    package: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)

    def with_device(self, device: int, engines: str) -> list[tuple[str, dict[str, str]]]:
        """The providers as a session takes them; `engines` is the folder where TensorRT keeps what it has built."""
        if self.vendor == "host":
            return [(provider, dict(options)) for provider, options in self.providers.items()]
        given = [(provider, {**options, "device_id": str(device)}) for provider, options in self.providers.items()]
        if TENSORRT in self.providers:
            given[0][1]["trt_engine_cache_path"] = engines
        return given


CUDA_OPTIONS = {
    **AS_ASKED,
    "cudnn_conv_algo_search": "EXHAUSTIVE",  # measured at this very size, in the first call, which is no sample
    "cudnn_conv_use_max_workspace": "1",  # the fastest algorithm, not the fastest of those that need 32 MB
    "use_tf32": "1",  # as torch's convolutions and TensorRT do by default; its 10 bits are those of float16
}
ROADS = {
    "onnxruntime": Road({CPU: {}}, "host", "the cpu"),
    "onnxruntime-cuda": Road(
        {CUDA: CUDA_OPTIONS}, "nvidia", "NVIDIA GPUs", "onnxruntime-gpu", {"precision": "float32, TF32 allowed"}
    ),
    "onnxruntime-tensorrt": Road(
        {
            TENSORRT: {
                "trt_fp16_enable": "1",  # as runtimes/tensorrt.py, which says why
                "trt_engine_cache_enable": "1",  # an engine takes minutes
                "trt_max_workspace_size": str(4 << 30),  # 1 GiB, once the default, leaves fast kernels out
            },
            CUDA: CUDA_OPTIONS,
        },
        "nvidia",
        "NVIDIA GPUs",
        "onnxruntime-gpu",
        {"precision": "float16 and TF32 allowed"},
    ),
    "onnxruntime-cann": Road(
        {
            CANN: {
                **AS_ASKED,
                "enable_cann_graph": "1",  # whole graphs, not one operator at a time
                "precision_mode": "force_fp16",  # what atc does by default on these chips
                "dump_om_model": "0",  # or it would lie in the folder that the run was started in
            }
        },
        "huawei",
        "Ascend chips",
        "onnxruntime-cann",
        {"precision": "float16"},
    ),
}


class Session(WallSession):
    """One graph loaded by a road's providers; raises CaseFailed where they leave its work to the CPU."""

    def __init__(
        self, graph: Path, shape: tuple[int, ...], road: str = "onnxruntime", device: int = 0, engines: str = ""
    ) -> None:
        super().__init__(shape)
        way = ROADS[road]
        self._wanted = next(iter(way.providers))
        self.threads = physical_cores() if way.vendor == "host" else 0
        with tempfile.TemporaryDirectory() as folder:
            self._session = self._load(graph, self._options(folder), way.with_device(device, engines))
            self._input = self._session.get_inputs()[0].name
            found = recorded(self._session) if RECORDS else self._profiled()
        found = dict(sorted(found.items(), key=lambda item: item[0] != self._wanted))
        placement.check(found, tuple(way.providers))
        self.provider = self._wanted
        self.facts = {"placement": placement.summary(found), **way.facts}

    def run(self, batch: NDArray[np.float32]) -> list[NDArray[np.generic]]:
        """Outputs (N, ...) of one batch (N, 3, H, W)."""
        try:
            outputs: list[NDArray[np.generic]] = self._session.run(None, {self._input: batch})
        except FAILURES as error:
            raise self._failed(f"ONNX Runtime failed on {self._wanted} ({first_line(error)})", error) from error
        return outputs

    def _options(self, folder: str) -> Any:
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads or 1  # beside a chip, the host does arithmetic with shapes at most
        options.add_session_config_entry(RECORD, "1")
        options.enable_profiling = not RECORDS
        options.profile_file_prefix = str(Path(folder) / "profile")
        return options

    def _profiled(self) -> dict[str, list[placement.Node]]:
        self.run(np.zeros(self.shape, np.float32))
        return profiled(Path(self._session.end_profiling()))  # from here on, nothing is recorded

    def _load(self, graph: Path, options: Any, providers: list[tuple[str, dict[str, str]]]) -> Any:
        try:
            with warnings.catch_warnings():  # the placement tells it, and fails
                warnings.filterwarnings("ignore", "Specified provider", UserWarning)
                return ort.InferenceSession(graph, options, providers=providers, enable_fallback=0)
        except UNREADABLE as error:
            raise Problem(f"{graph}: ONNX Runtime cannot load this graph ({error})") from error
        except RuntimeError as error:  # of the provider's library, in many words
            told = f"ONNX Runtime cannot load {self._wanted}; standard error says what it lacks"
            raise self._failed(told, error) from error
        except FAILURES as error:
            told = f"{graph}: ONNX Runtime cannot load this graph on {self._wanted} ({first_line(error)})"
            raise self._failed(told, error) from error

    def _failed(self, told: str, error: Exception) -> CaseFailed:
        if isinstance(error, MemoryError) or any(mark in str(error) for mark in NO_MEMORY):
            told = f"batch {self.shape[0]} does not fit in memory ({first_line(error)})"
            return OutOfMemory(told, str(error).splitlines())
        return CaseFailed(told, str(error).splitlines())


def first_line(error: Exception) -> str:
    """What an error says first."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), repr(error))


def recorded(session: Any) -> dict[str, list[placement.Node]]:
    """The nodes that each provider has taken, by ONNX Runtime's own record."""
    found: dict[str, list[placement.Node]] = {}
    for part in session.get_provider_graph_assignment_info():
        found.setdefault(part.ep_name, []).extend((node.op_type, node.name) for node in part.get_nodes())
    return found


def profiled(profile: Path) -> dict[str, list[placement.Node]]:
    """The nodes that each provider has run, by the profile of a call; a graph compiled whole is one node."""
    found: dict[str, list[placement.Node]] = {}
    for event in json.loads(profile.read_text(encoding="utf-8")):
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            told = event["args"]
            found.setdefault(told["provider"], []).append((told["op_name"], event["name"].removesuffix("_kernel_time")))
    return found


def missing(soc: Soc, road: str) -> str | None:
    """A provider that this ONNX Runtime has, and a chip of this name."""
    way = ROADS[road]
    if soc.unnamed:
        return f"{soc.name} is what guides call a chip without naming it; --soc takes the chip's own name"
    if soc.vendor != way.vendor:
        return f"ONNX Runtime runs {way.chips} here, not {soc.name}"
    if soc.tuned:
        return f"{soc.name} is built by AOE, and {road} compiles by itself; the runtime ascend takes it"
    if reason := unprovided(way):
        return reason
    if soc.vendor == "nvidia" and nvidia_smi.gpus() is None:
        return f"nvidia-smi is not on PATH, so nothing tells that there is a {soc.name}; it comes with the driver"
    return devices.refused(soc)


def unprovided(way: Road) -> str | None:
    """Why this ONNX Runtime does not have the provider, or not the right one, or None."""
    wanted, version = next(iter(way.providers)), ort.__version__
    if wanted not in ort.get_available_providers():
        return (
            f"this onnxruntime {version} has no {wanted}; pip uninstall it, and pip install {way.package} in its place"
        )
    if wanted == TENSORRT and (built_for() or 0) > TENSORRT_MAJOR:
        return f"this onnxruntime {version} is for TensorRT {built_for()}, which would run our graphs in float32"
    return None


def built_for() -> int | None:
    """The major version of TensorRT that the provider's library is linked with, or None where there is none."""
    library = Path(ort.__file__).parent / "capi" / "libonnxruntime_providers_tensorrt.so"
    found = re.search(rb"libnvinfer\.so\.(\d+)", library.read_bytes()) if library.is_file() else None
    return int(found[1]) if found else None


def build(case: Case, job: Job) -> Path:  # noqa: ARG001  one signature for all runtimes
    """The graph itself: what providers compile, they compile when it is opened."""
    return job.onnx


def plan(case: Case, device: int) -> list[str]:  # noqa: ARG001  one signature for all runtimes
    """The session in words."""
    way = ROADS[case.runtime]
    told = ", then ".join(
        " ".join([provider, *(f"{key}={value}" for key, value in options.items())])
        for provider, options in way.providers.items()
    )
    threads = f", {physical_cores()} threads" if way.vendor == "host" else ""
    return [f"{case.runtime}: no build; {told}, batch {case.batch}{threads}"]


def open_session(artifact: Path, case: Case, job: Job) -> Session:
    """A session for the case's batch size; with TensorRT, the engine is built here, or read from the cache."""
    road, shape = case.runtime, (case.batch, *case.card.input.shape)
    preload(ROADS[road])
    if TENSORRT not in ROADS[road].providers:
        return Session(artifact, shape, road, job.device)
    folder = engines(artifact, case)
    with cache.locked(folder):  # one run builds, others wait for it
        session = Session(artifact, shape, road, job.device, str(folder))
        session.run(np.zeros(shape, np.float32))  # for this size and no other
    return session


def engines(graph: Path, case: Case) -> Path:
    """The folder of the engines of this very graph: TensorRT's provider knows one by its form, not by its weights.

    Source: github.com/microsoft/onnxruntime/issues/6455.
    """
    options = {provider: dict(given) for provider, given in ROADS[case.runtime].providers.items()}
    key = fingerprint.of_value([fingerprint.of_file(graph), case.soc.name, case.batch, ort.__version__, options])
    return cache.made("onnxruntime-tensorrt", f"{case.card.key}-bs{case.batch}-{case.soc.name}-{key}", lambda _: None)


def preload(way: Road) -> None:
    """Load the libraries of CUDA and TensorRT that pip has put where no loader looks."""
    if way.vendor == "nvidia" and hasattr(ort, "preload_dlls"):  # since 1.21
        ort.preload_dlls()
    if TENSORRT in way.providers:
        with contextlib.suppress(ImportError, OSError):  # it may lie where loaders look; the placement tells
            importlib.import_module("tensorrt_libs")


def physical_cores() -> int:
    """Physical cores that this process may run on."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(psutil.cpu_count(logical=False) or 1, allowed))

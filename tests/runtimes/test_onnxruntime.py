"""ONNX Runtime: four roads, each judged by where the graph runs."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnxruntime as ort
import pytest

from roadworthy import pipeline, runtimes
from roadworthy.case import Case
from roadworthy.problem import CaseFailed, OutOfMemory, Problem
from roadworthy.runtimes import Job, onnxruntime
from roadworthy.soc import find

DEVICES = {"onnxruntime-cuda": "T4", "onnxruntime-tensorrt": "T4", "onnxruntime-cann": "Ascend310P3"}
NONE = {  # the road -> the provider that the package of this test suite has not
    "onnxruntime-cuda": "CUDAExecutionProvider",
    "onnxruntime-tensorrt": "TensorrtExecutionProvider",
    "onnxruntime-cann": "CANNExecutionProvider",
}
here = pytest.mark.skipif(
    bool(set(NONE.values()) & set(ort.get_available_providers())), reason="this onnxruntime has providers of chips"
)


@pytest.fixture(scope="module")
def job(tiny_card, tmp_path_factory):
    """The tiny graph and weights."""
    weights = pipeline.weights_file(tiny_card, None)
    return Job(pipeline.prepare(tiny_card, weights).files[-1], weights, tmp_path_factory.mktemp("logs"))


@pytest.fixture
def case(tiny_card):
    """The tiny model, two frames at a time, on the cpu."""
    return Case(tiny_card, find("cpu"), 2)


def opened(case: Case, job: Job) -> onnxruntime.Session:
    """A session of what is built."""
    return onnxruntime.open_session(onnxruntime.build(case, job), case, job)


def test_the_cpu_is_wanted_and_runs_the_graph(case, job):
    """Facts say what ran where, and the clock is the host's."""
    session = opened(case, job)

    assert ("CPUExecutionProvider", "wall") == (session.provider, session.clock)
    assert {"placement": "CPUExecutionProvider 2"} == session.facts
    assert onnxruntime.physical_cores() == session.threads
    assert 3 == len(session.sample(3))
    assert min(session.sample(3)) > 0


@here
@pytest.mark.parametrize("road", NONE)
def test_a_provider_that_falls_back_to_the_cpu_is_a_failed_case(case, job, road):
    """ONNX Runtime goes on without it and says nothing that a program hears; the placement does."""
    case = replace(case, soc=find(DEVICES[road]), chosen=road)

    with pytest.raises(CaseFailed, match=f"{NONE[road]} runs none of the graph's 2 nodes: CPU") as caught:
        opened(case, job)

    assert type(caught.value) is CaseFailed
    assert "CPUExecutionProvider: Conv" in caught.value.evidence[1]


def test_a_profile_tells_where_nodes_ran_as_the_record_does(case, job, monkeypatch):
    """Before 1.24, ONNX Runtime has no other way to tell; its optimiser may have joined nodes."""
    monkeypatch.setattr(onnxruntime, "RECORDS", False)
    session = opened(case, job)
    frames = np.random.default_rng(0).random((2, 3, 64, 128), np.float32)

    assert session.facts["placement"].startswith("CPUExecutionProvider ")
    assert (2, 20, 64, 128) == next(session.stream([frames]))[0].shape


@here
def test_an_old_version_fails_on_a_fallback_as_well(case, job, monkeypatch):
    """The rule is the same, told by a profile."""
    monkeypatch.setattr(onnxruntime, "RECORDS", False)

    with pytest.raises(CaseFailed, match="CUDAExecutionProvider runs none of the graph's"):
        opened(replace(case, soc=find("T4"), chosen="onnxruntime-cuda"), job)


def test_a_profile_is_read_by_provider(tmp_path):
    """Only the time of a kernel is a node."""
    events = [
        {"cat": "Session", "name": "model_run", "args": {}},
        {"cat": "Node", "name": "conv_fence_before", "args": {"op_name": "Conv"}},
        {"cat": "Node", "name": "conv_kernel_time", "args": {"op_name": "Conv", "provider": "CUDAExecutionProvider"}},
        {"cat": "Node", "name": "size_kernel_time", "args": {"op_name": "Shape", "provider": "CPUExecutionProvider"}},
    ]
    (tmp_path / "profile.json").write_text(json.dumps(events), encoding="utf-8")

    assert {
        "CUDAExecutionProvider": [("Conv", "conv")],
        "CPUExecutionProvider": [("Shape", "size")],
    } == onnxruntime.profiled(tmp_path / "profile.json")


def test_a_batch_of_another_size_is_a_defect_of_the_caller(case, job):
    """A throughput figure must never be of another batch than it says."""
    session = opened(replace(case, batch=4), job)

    with pytest.raises(ValueError, match=r"opened for \(4, 3, 64, 128\), the input is \(2, 3, 64, 128\)"):
        next(session.stream([np.zeros((2, 3, 64, 128), np.float32)]))


def test_a_file_that_is_no_graph_is_refused(tmp_path):
    """The sentence names the file."""
    (tmp_path / "broken.onnx").write_bytes(b"no graph")

    with pytest.raises(Problem, match=r"broken\.onnx: ONNX Runtime cannot load this graph") as caught:
        onnxruntime.Session(tmp_path / "broken.onnx", (1, 3, 64, 128))

    assert type(caught.value) is Problem


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (
            (
                "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running Conv node. "
                "Status Message: /onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:376 void* "
                "onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*, bool) "
                "Failed to allocate memory for requested buffer of size 134217728"
            ),  # microsoft/onnxruntime#22702
            OutOfMemory,
        ),
        (
            (
                "/onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:203 onnxruntime::BFCArena::Extend(size_t) "
                "Available memory of 77190144 is smaller than requested bytes of 134217728"
            ),
            OutOfMemory,
        ),
        ("CUDA failure 2: out of memory ; GPU=0 ; hostname=a ; expr=cudaMalloc((void**)&p, size);", OutOfMemory),
        ("Error Code 2: OutOfMemory (no further information)", OutOfMemory),
        (
            (
                "/onnxruntime_src/onnxruntime/core/platform/posix/env.cc:327 PosixThread pthread_create failed, "
                "error code: 12 error msg: Cannot allocate memory"
            ),
            OutOfMemory,
        ),
        ("CUDNN failure 4000: CUDNN_STATUS_ALLOC_FAILED ; GPU=0", OutOfMemory),
        ("CUDA failure 700: an illegal memory access was encountered ; GPU=0", CaseFailed),
    ],
)
def test_no_memory_is_told_apart_from_a_crash(case, job, said, kind):
    """By the words of the libraries."""
    error = onnxruntime.state.RuntimeException(said)
    failed = opened(case, job)._failed("ONNX Runtime failed", error)

    assert kind is type(failed)
    assert (said,) == failed.evidence
    assert kind is CaseFailed or str(failed).startswith("batch 2 does not fit in memory (")


def test_the_host_without_memory_is_a_result_of_the_case(job):
    """Under a real limit of address space, a large batch does not fit, and a small one still does."""
    script = f"""
import resource
from pathlib import Path
import numpy as np
from roadworthy.problem import OutOfMemory
from roadworthy.runtimes import onnxruntime
graph = Path({str(job.onnx)!r})
large, small = (onnxruntime.Session(graph, (batch, 3, 64, 128)) for batch in (2000, 1))  # opening starts threads
frames = np.zeros(large.shape, np.float32)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 29),) * 2)
try:
    next(large.stream([frames]))
except OutOfMemory as problem:
    print(problem)
del large  # its arena keeps what it has got
print(len(next(small.stream([frames[:1]]))[0]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert "batch 2000 does not fit in memory (" in done.stdout, done.stderr
    assert done.stdout.endswith("\n1\n"), done.stderr


@here
@pytest.mark.parametrize(
    ("road", "soc", "reason"),
    [
        ("onnxruntime", "cpu", None),
        ("onnxruntime", "T4", "ONNX Runtime runs the cpu here, not T4"),
        ("onnxruntime-cuda", "cpu", "ONNX Runtime runs NVIDIA GPUs here, not cpu"),
        (
            "onnxruntime-cuda",
            "GPU",
            "GPU is what guides call a chip without naming it; --soc takes the chip's own name",
        ),
        (
            "onnxruntime-cuda",
            "T4",
            (
                f"this onnxruntime {ort.__version__} has no CUDAExecutionProvider; "
                "pip uninstall it, and pip install onnxruntime-gpu in its place"
            ),
        ),
        (
            "onnxruntime-cann",
            "Ascend310P3",
            (
                f"this onnxruntime {ort.__version__} has no CANNExecutionProvider; "
                "pip uninstall it, and pip install onnxruntime-cann in its place"
            ),
        ),
        (
            "onnxruntime-cann",
            "Ascend310P3+aoe",
            "Ascend310P3+aoe is built by AOE, and onnxruntime-cann compiles by itself; the runtime ascend takes it",
        ),
    ],
)
def test_what_cannot_run_says_why(tiny_card, road, soc, reason):
    """In one sentence, with what would help."""
    assert reason == runtimes.missing(Case(tiny_card, find(soc), 1, road))


def test_a_gpu_is_believed_in_when_nvidia_smi_shows_it(tiny_card, tmp_path, monkeypatch):
    """A package with the provider is no GPU."""
    case = Case(tiny_card, find("T4"), 1, "onnxruntime-cuda")
    monkeypatch.setattr(onnxruntime, "unprovided", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert (
        "nvidia-smi is not on PATH, so nothing tells that there is a T4; it comes with the driver"
        == runtimes.missing(case)
    )


def test_a_road_that_is_not_there_is_refused(tiny_card):
    """The sentence names those that are."""
    told = runtimes.missing(Case(tiny_card, find("cpu"), 1, "onnxruntime-rocm"))

    assert "there is no runtime 'onnxruntime-rocm'" in told
    assert "onnxruntime-cuda" in told


def test_a_plan_shows_providers_and_options(case):
    """A figure depends on them."""
    cuda, tensorrt, cann = (
        onnxruntime.plan(replace(case, soc=find(soc), chosen=road), 0)[0] for road, soc in DEVICES.items()
    )

    assert (
        f"onnxruntime: no build; CPUExecutionProvider, batch 2, {onnxruntime.physical_cores()} threads"
        == onnxruntime.plan(case, 0)[0]
    )
    assert (
        "onnxruntime-cuda: no build; CUDAExecutionProvider arena_extend_strategy=kSameAsRequested "
        "cudnn_conv_algo_search=EXHAUSTIVE cudnn_conv_use_max_workspace=1 use_tf32=1, batch 2" == cuda
    )
    assert "TensorrtExecutionProvider trt_fp16_enable=1 " in tensorrt
    assert ", then CUDAExecutionProvider " in tensorrt
    assert "CANNExecutionProvider arena_extend_strategy=kSameAsRequested enable_cann_graph=1 precision_mode" in cann


def test_options_name_the_device_and_the_folder_of_engines():
    """The device is the job's, for each provider of the road; the cpu has none."""
    (tensorrt, its), (cuda, own) = onnxruntime.ROADS["onnxruntime-tensorrt"].with_device(3, "/engines")

    assert ("TensorrtExecutionProvider", "CUDAExecutionProvider") == (tensorrt, cuda)
    assert ("3", "3", "/engines") == (its["device_id"], own["device_id"], its["trt_engine_cache_path"])
    assert [("CPUExecutionProvider", {})] == onnxruntime.ROADS["onnxruntime"].with_device(3, "")


def test_engines_are_of_one_graph_and_one_batch(case, job, tmp_path):
    """TensorRT's provider knows an engine by the form of the graph: other weights need another folder."""
    case = replace(case, soc=find("T4"), chosen="onnxruntime-tensorrt")
    (tmp_path / "other.onnx").write_bytes(job.onnx.read_bytes() + b"\x00")
    own = onnxruntime.engines(job.onnx, case)

    assert own == onnxruntime.engines(job.onnx, case)
    assert own.is_dir()
    assert 3 == len(
        {own, onnxruntime.engines(tmp_path / "other.onnx", case), onnxruntime.engines(job.onnx, replace(case, batch=4))}
    )

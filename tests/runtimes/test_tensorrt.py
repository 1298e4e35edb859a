"""TensorRT: what can be said of it without a GPU."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from roadworthy import runtimes
from roadworthy.case import Case
from roadworthy.problem import CaseFailed, OutOfMemory, Unsupported
from roadworthy.runtimes import tensorrt
from roadworthy.soc import find


@pytest.fixture
def case(tiny_card):
    """The tiny model, four frames at a time, on a T4."""
    return Case(tiny_card, find("T4"), 4)


def test_a_plan_is_a_line_for_trtexec(case):
    """Half precision, and the case's batch as the only size."""
    line, words = tensorrt.plan(case, 0)

    assert "trtexec --onnx=tiny.onnx --saveEngine=tiny-bs4-T4.engine --shapes=image:4x3x64x128 --fp16" == line
    assert "tensorrt: the same through Python, batch 4, float16 and TF32 allowed" == words


def test_a_graph_of_fixed_size_takes_no_shapes(case):
    """Trtexec refuses them (NVIDIA/TensorRT#2043)."""
    fixed = replace(case.card, export=replace(case.card.export, batches=(1,)))

    assert (
        "trtexec --onnx=tiny.onnx --saveEngine=tiny-bs1-T4.engine --fp16"
        == tensorrt.plan(replace(case, card=fixed, batch=1), 0)[0]
    )


@pytest.mark.parametrize(
    ("soc", "reason"),
    [
        ("cpu", "TensorRT runs NVIDIA GPUs, not cpu"),
        ("Ascend310P3", "TensorRT runs NVIDIA GPUs, not Ascend310P3"),
        ("GPU", "GPU is what guides call a chip without naming it; --soc takes the chip's own name"),
    ],
)
def test_what_is_no_nvidia_gpu_is_refused(tiny_card, soc, reason):
    """In one sentence."""
    assert reason == runtimes.missing(Case(tiny_card, find(soc), 1, "tensorrt"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_there_is_no_tensorrt(case):
    """Buffers are torch's, so torch must see the GPU."""
    assert (
        "torch sees no CUDA device, so there is no T4; it needs a driver and a CUDA build of torch"
        == runtimes.missing(case)
    )


@pytest.mark.skipif(importlib.util.find_spec("tensorrt") is not None, reason="tensorrt is installed")
def test_a_missing_package_is_told_with_the_one_to_install(case, monkeypatch):
    """On a machine with a T4."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(tensorrt.devices, "refused", lambda _: None)

    told = runtimes.missing(case)

    assert told.startswith("TensorRT cannot be imported (No module named 'tensorrt'); pip install 'tensorrt-cu")
    assert told.endswith(">=10,<11'")


def test_a_tensorrt_that_would_build_in_float32_is_refused():
    """Version 11 takes the precision from the graph, and ours is float32: the flag would be gone without a word."""
    assert tensorrt.unfit("10.16.1.11") is None
    assert tensorrt.unfit("11.4.0.106").startswith(
        "this is TensorRT 11.4.0.106, and half precision by the builder's flag is of version 10; pip install"
    )
    assert tensorrt.unfit("8.6.1") is not None


@pytest.mark.parametrize(
    ("lines", "kind", "told"),
    [
        (
            [
                "[ERROR] [defaultAllocator.cpp::allocate::19] Error Code 1: Cuda Runtime (out of memory)",
                "[WARNING] Requested amount of GPU memory (17920000000 bytes) could not be allocated.",
                "[ERROR] [executionContext.cpp::ExecutionContext::470] Error Code 2: OutOfMemory (no further information)",
            ],  # NVIDIA/TensorRT#3017
            OutOfMemory,
            "no context for batch 4: it does not fit in memory",
        ),
        (
            [
                (
                    "[ERROR] IBuilder::buildSerializedNetwork: Error Code 9: API Usage Error (Target GPU SM 70 is not supported "
                    "by this TensorRT release.)"
                )
            ],  # NVIDIA/TensorRT#4359
            Unsupported,
            "no context for batch 4: it does not support this GPU",
        ),
        (["[ERROR] Error Code 1: Myelin"], CaseFailed, "no context for batch 4; its last words are the evidence"),
        ([], CaseFailed, "no context for batch 4; it did not say why"),
    ],
)
def test_its_last_words_tell_what_failed(lines, kind, told):
    """No memory, no support of the GPU, or a crash."""
    failed = tensorrt.failure("no context for batch 4", lines)

    assert kind is type(failed)
    assert told == str(failed)
    assert tuple(lines) == failed.evidence


def test_memory_that_was_short_long_ago_is_not_what_failed():
    """A builder tries kernels that do not fit, says so, and takes others."""
    lines = ["[ERROR] Error Code 2: OutOfMemory", *[f"[WARNING] {number}" for number in range(5)]]
    failed = tensorrt.failure("no engine", lines)

    assert CaseFailed is type(failed)
    assert tuple(lines[1:]) == failed.evidence


def test_a_graph_that_the_parser_does_not_take_is_unsupported():
    """With the first of its errors in the sentence, and the next ones as evidence."""
    errors = [f"In node {number} (importNode): UNSUPPORTED_NODE" for number in range(9)]
    failed = tensorrt.refused(Path("graphs/net.onnx"), errors)

    assert Unsupported is type(failed)
    assert "net.onnx: TensorRT's parser does not take this graph (In node 0 (importNode): UNSUPPORTED_NODE)" == str(
        failed
    )
    assert tuple(errors[:5]) == failed.evidence


def test_nothing_made_is_a_failed_case(monkeypatch):
    """The binding tells a null pointer by a TypeError."""
    monkeypatch.setattr(tensorrt, "said", lambda: ["[WARNING] CUDA initialization failure with error: 35"])

    def make() -> None:
        raise TypeError("pybind11::init(): factory function returned nullptr")

    with pytest.raises(CaseFailed, match="TensorRT does not start on this GPU") as caught:
        tensorrt.made(make)

    assert "[WARNING] CUDA initialization failure with error: 35" == caught.value.evidence[0]

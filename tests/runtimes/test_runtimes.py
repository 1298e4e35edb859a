"""Runtimes: found by name, honest about what is missing, out of memory told apart from defects."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from roadworthy import pipeline, runtimes
from roadworthy.case import Case
from roadworthy.problem import Problem
from roadworthy.runtimes import onnxruntime
from roadworthy.soc import find


@pytest.fixture(scope="module")
def case(tiny_card):
    """The tiny model, two frames at a time, on the cpu."""
    return Case(tiny_card, find("cpu"), 2)


@pytest.fixture(scope="module")
def weights(tiny_card):
    """The tiny weights."""
    return pipeline.weights_file(tiny_card, None)


@pytest.fixture(scope="module")
def frames():
    """Two random frames."""
    return np.random.default_rng(0).random((2, 3, 64, 128), np.float32)


def test_both_runtimes_give_the_same_outputs_and_name_their_provider(case, weights, frames):
    """ONNX Runtime on the graph, torch on the weights."""
    graph = pipeline.prepare(case.card, weights).files[-1]
    sessions = [
        runtimes.find(name).open_session(runtimes.find(name).build(case, graph, weights), case)
        for name in ("onnxruntime", "eager")
    ]
    outputs = [session.run(frames)[0] for session in sessions]

    np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-4, atol=1e-5)
    assert ["CPUExecutionProvider", "cpu"] == [session.provider for session in sessions]
    assert onnxruntime.physical_cores() == sessions[0].threads


def test_a_batch_of_another_size_is_a_defect_of_the_caller(case, weights, frames):
    """A throughput figure must never be of another batch than it says."""
    session = onnxruntime.open_session(pipeline.prepare(case.card, weights).files[-1], replace(case, batch=4))

    with pytest.raises(ValueError, match="opened for batch 4, the input holds 2"):
        session.run(frames)


def test_a_file_that_is_no_graph_is_refused(tmp_path):
    """The sentence names the file."""
    (tmp_path / "broken.onnx").write_bytes(b"no graph")

    with pytest.raises(Problem, match=r"broken\.onnx: ONNX Runtime cannot load this graph"):
        onnxruntime.Session(tmp_path / "broken.onnx", 1)


def test_what_cannot_run_says_why(tiny_card):
    """No chip at hand, a runtime that is still to come."""
    assert runtimes.missing(Case(tiny_card, find("cpu"), 1)) is None
    assert "no runtime 'ascend' yet" in runtimes.missing(Case(tiny_card, find("Ascend310P3"), 1))
    assert torch.cuda.is_available() or "sees no CUDA device" in runtimes.find("eager").missing(find("T4"))
    assert "not T4" in runtimes.find("onnxruntime").missing(find("T4"))


def test_no_memory_is_a_record_and_not_a_crash(tiny_models, tiny_data, tmp_path):
    """Under a real limit of address space, a large batch gives a record `oom` with the reason, and the run goes on."""
    script = f"""
import resource
from pathlib import Path
from roadworthy import card, soc
from roadworthy.run import Run
from roadworthy.case import Case
tiny = card.find([Path({str(tiny_models)!r})])["tiny"]
run = Run(Path({str(tmp_path)!r}), {str(tiny_data)!r}, None)
run.accuracy(Case(tiny, soc.find("cpu"), 1))
run.open_session(Case(tiny, soc.find("cpu"), 2))
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 28),) * 2)
for batch in (2000, 1):
    for record in run.throughput(Case(tiny, soc.find("cpu"), batch), lambda call, seconds: [seconds]):
        print(batch, record.metric, record.outcome, record.detail)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert "2000 throughput oom batch 2000 does not fit in memory" in done.stdout, done.stderr
    assert "1 throughput ok None" in done.stdout

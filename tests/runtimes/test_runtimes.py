"""Runtimes: found by name, of one interface, honest about what is missing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from roadworthy import pipeline, runtimes
from roadworthy.case import Case
from roadworthy.problem import Problem
from roadworthy.runtimes import Job
from roadworthy.soc import find


@pytest.fixture(scope="module")
def case(tiny_card):
    """The tiny model, two frames at a time, on the cpu."""
    return Case(tiny_card, find("cpu"), 2)


@pytest.fixture(scope="module")
def job(tiny_card, tmp_path_factory):
    """The tiny graph and weights."""
    weights = pipeline.weights_file(tiny_card, None)
    return Job(pipeline.prepare(tiny_card, weights).files[-1], weights, tmp_path_factory.mktemp("logs"))


@pytest.fixture(scope="module")
def frames():
    """Two random frames."""
    return np.random.default_rng(0).random((2, 3, 64, 128), np.float32)


def test_both_runtimes_give_the_same_outputs_and_name_their_provider(case, job, frames):
    """ONNX Runtime on the graph, torch on the weights."""
    found = [runtimes.find(name) for name in ("onnxruntime", "eager")]
    sessions = [runtime.open_session(runtime.build(case, job), case, job) for runtime in found]
    outputs = [next(session.stream([frames]))[0] for session in sessions]

    np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-4, atol=1e-5)
    assert ["CPUExecutionProvider", "cpu"] == [session.provider for session in sessions]


@pytest.mark.parametrize("name", ["onnxruntime", "eager"])
def test_outputs_come_in_order_and_a_sample_is_seconds(case, job, frames, name):
    """One list of outputs a batch, one figure a call."""
    runtime = runtimes.find(name)
    session = runtime.open_session(runtime.build(case, job), case, job)
    one, two = session.stream([frames, 2 * frames])

    assert not np.array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[0], next(session.stream([frames]))[0])
    assert 3 == len(session.sample(3))
    assert 0 < min(session.sample(3)) < 10


def test_what_cannot_run_says_why(tiny_card):
    """No chip at hand, or no such runtime."""
    told = runtimes.missing(Case(tiny_card, find("cpu"), 1, "tvm"))

    assert runtimes.missing(Case(tiny_card, find("cpu"), 1)) is None
    assert told.startswith("there is no runtime 'tvm'; known: onnxruntime, ")
    assert torch.cuda.is_available() or "sees no CUDA device" in runtimes.missing(
        Case(tiny_card, find("T4"), 1, "eager")
    )


@pytest.mark.parametrize("road", runtimes.ROADS)
def test_a_road_that_is_known_is_there(road):
    """Whatever packages are installed, a road can be asked what it lacks, and shows its plan."""
    runtime = runtimes.find(road)

    assert all(callable(getattr(runtime, name)) for name in ("missing", "build", "plan", "open_session"))


def test_a_name_of_no_module_is_refused():
    """A name that could be a path as well."""
    with pytest.raises(Problem, match=r"there is no runtime '\.\./eager'"):
        runtimes.find("../eager")

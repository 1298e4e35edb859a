"""Runtimes: found by name, of one interface, honest about what is missing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from roadworthy import pipeline, plan, runtimes, worker
from roadworthy.case import Case
from roadworthy.problem import Problem
from roadworthy.run import Run
from roadworthy.runtimes import Job
from roadworthy.soc import find
from roadworthy.workshop import Manner

SRC = Path(runtimes.__file__).parents[2]


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
    assert told.startswith(
        "there is no runtime 'tvm'; known: ais_bench, ascend, eager, onnxruntime, onnxruntime-cuda, "
    )
    assert torch.cuda.is_available() or "sees no CUDA device" in runtimes.missing(
        Case(tiny_card, find("T4"), 1, "eager")
    )


@pytest.mark.parametrize("road", runtimes.known())
def test_a_road_that_is_known_is_there(road):
    """Whatever packages are installed, a road can be asked what it lacks, and shows its plan."""
    runtime = runtimes.find(road)

    assert all(callable(getattr(runtime, name)) for name in ("missing", "build", "plan", "open_session"))


def test_the_runtimes_are_the_files_that_open_sessions():
    """Each is a road of its own name; one has others too."""
    assert ["ais_bench", "ascend", "eager", "onnxruntime", "tensorrt"] == runtimes.names()
    assert set(runtimes.names()) == {road for road in runtimes.known() if "-" not in road}
    assert {f"onnxruntime-{provider}" for provider in ("cann", "cuda", "tensorrt")} == {
        road for road in runtimes.known() if "-" in road
    }


@pytest.mark.parametrize(
    "name", ["../eager", "", "__init__", "devices", "eager-cuda", "onnxruntime-", "onnxruntime-rocm"]
)
def test_a_name_of_no_runtime_is_refused(name):
    """A name that could be a path as well, a module that opens no session, a road that its runtime does not have."""
    with pytest.raises(Problem, match=f"there is no runtime {re.escape(repr(name))}; known: ais_bench, "):
        runtimes.find(name)


def test_names_are_known_without_loading_anything():
    """A run that only collects waits for no torch."""
    code = (
        "import sys; from roadworthy import runtimes; runtimes.check('eager'); runtimes.check('onnxruntime'); "
        "print({'torch', 'onnxruntime', 'numpy'} & sys.modules.keys())"
    )
    env = {**os.environ, "PYTHONPATH": str(SRC)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)

    assert "set()\n" == done.stdout


TVM = '''
"""A new runtime, which works as ONNX Runtime does."""

from dataclasses import replace

from roadworthy.runtimes import onnxruntime

ROADS = ("tvm", "tvm-tuned")


def missing(soc, road):
    return None if soc.name == "cpu" else f"{road} runs the cpu"


def build(case, job):
    return job.onnx


def plan(case, device):
    return [f"{case.runtime}: no build"]


def open_session(artifact, case, job):
    return onnxruntime.open_session(artifact, replace(case, chosen="onnxruntime"), job)
'''
UNINSTALLED = "import a_package_that_nobody_has\n\n\ndef open_session(artifact, case, job):\n    pass\n"


@pytest.fixture
def more(tmp_path, monkeypatch):
    """A folder whose files lie in runtimes/ for this test."""
    monkeypatch.setattr(runtimes, "__path__", [*runtimes.__path__, str(tmp_path)])
    yield tmp_path
    for name in (path.stem for path in tmp_path.glob("*.py")):
        if sys.modules.pop(f"roadworthy.runtimes.{name}", None):
            delattr(runtimes, name)


def test_one_file_is_a_new_runtime(more, tiny_card, tiny_data, tmp_path):
    """It is found, named, planned and judged, and so is its variant; nothing else is edited."""
    (more / "tvm.py").write_text(TVM, encoding="utf-8")
    case = Case(tiny_card, find("cpu"), 2, "tvm-tuned")
    run = Run(tmp_path / "run", str(tiny_data), None, Manner(call=worker.here))

    assert {"tvm", "tvm-tuned"} <= set(runtimes.known())
    assert "tvm-tuned runs the cpu" == runtimes.lacks(find("T4"), "tvm-tuned")
    assert "tvm-tuned: no build" in plan.lines(case, "DATA", None)
    assert [("tvm-tuned", "miou"), ("tvm-tuned", "pooled_miou")] == [(r.runtime, r.metric) for r in run.accuracy(case)]
    with pytest.raises(Problem, match=r"there is no runtime 'tvm-rough'; known: .*tensorrt, tvm, tvm-tuned"):
        runtimes.check("tvm-rough")


@pytest.mark.parametrize("road", ["sdk", "sdk-fast"])
def test_a_runtime_whose_package_is_not_installed_is_known(more, road):
    """What is missing is the package, not the runtime; none of the others is lost."""
    (more / "sdk.py").write_text(UNINSTALLED, encoding="utf-8")

    runtimes.check(road)
    assert "the package 'a_package_that_nobody_has' is not installed" == runtimes.lacks(find("cpu"), road)
    with pytest.raises(Problem, match=r"there is no runtime 'tvm'; known: .*, sdk, tensorrt"):
        runtimes.check("tvm")

"""The stand-ins of the Ascend tools as this machine's own, and what goes wrong with a chip."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from roadworthy import pipeline, worker
from roadworthy.case import Case
from roadworthy.run import Run
from roadworthy.runtimes import Job, ais_bench, atc, devices, om
from roadworthy.workshop import Manner

STANDINS = Path(__file__).parents[1] / "standins"
LATENCY_MS = 0.25  # of one image


@pytest.fixture
def tools(request, monkeypatch, tmp_path) -> Iterator[str]:
    """Generation a, b or c of ais_bench (the parameter; c without one) beside atc, aoe and npu-smi, on an Ascend310P3."""
    generation = getattr(request, "param", "c")
    worker.warm()  # its socket lies in the folder for temporary files as it is now
    for name in [name for name in os.environ if name.startswith(("STANDIN_", "ASCEND_"))]:
        monkeypatch.delenv(name)
    monkeypatch.delenv(om.VARIABLE, raising=False)
    path = (STANDINS / "bin", Path(sys.executable).parent, os.environ["PATH"])
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, path)))
    if generation == "a":
        monkeypatch.setenv(om.VARIABLE, str(STANDINS / "a" / "ais_infer.py"))
    else:
        monkeypatch.setenv("PYTHONPATH", str(STANDINS / generation))  # of the command line
        monkeypatch.syspath_prepend(STANDINS / generation)  # of InferSession, in the case's own process
    monkeypatch.setenv("STANDIN_LATENCY_MS", str(LATENCY_MS))
    temporary(tmp_path / "tmp", monkeypatch)
    forget()
    yield generation
    forget()


def temporary(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a folder that of temporary files."""
    folder.mkdir(exist_ok=True)
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)


def forget() -> None:
    """What a process asks once."""
    ais_bench.tool.cache_clear()
    devices.of_vendor.cache_clear()


@pytest.fixture
def temporary_files(tools, monkeypatch) -> Callable[[Path], None]:  # noqa: ARG001  after the stand-ins' own
    """Makes a folder that of temporary files."""
    return lambda folder: temporary(folder, monkeypatch)


@pytest.fixture
def compiled(tools, tmp_path) -> Callable[[Case], tuple[Path, Job]]:  # noqa: ARG001  the compiler is one of them
    """The OM of a case, and the job that it was made for."""

    def build(case: Case) -> tuple[Path, Job]:
        weights = pipeline.weights_file(case.card, None)
        job = Job(pipeline.prepare(case.card, weights).files[-1], weights, tmp_path / "logs")
        return atc.build(case, job), job

    return build


@pytest.fixture
def begin(tools, tiny_data, tmp_path) -> Callable[..., Run]:  # noqa: ARG001  a run asks for them
    """Begins a run over the small data set, in this manner."""
    return lambda **manner: Run(tmp_path / "run", str(tiny_data), None, Manner(**manner))


@pytest.fixture
def own_cache(monkeypatch) -> Callable[[Path], Path]:
    """Makes a folder the cache, with what the tests' common one has of the small model."""

    def copied(folder: Path) -> Path:
        common = Path(os.environ["ROADWORTHY_CACHE"])
        for made in (path for path in common.glob("*/tiny-*") if path.is_dir()):
            shutil.copytree(made, folder / made.relative_to(common))
        monkeypatch.setenv("ROADWORTHY_CACHE", str(folder))
        return folder

    return copied


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Callable[[str], Path]]:
    """Mounts a disk of so many bytes, such as 2m; skips where that is not permitted."""
    mounted = []

    def mount(size: str) -> Path:
        folder = tmp_path / f"disk{size}"
        folder.mkdir()
        command = [shutil.which("mount") or "mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            pytest.skip(f"a small disk cannot be mounted here: {error}")
        if done.returncode:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run([shutil.which("umount") or "umount", "-l", str(folder)], check=True)


@dataclass(frozen=True)
class Failure:
    """What goes wrong (knobs of the stand-ins), and what is to be said of it: `evidence` is in one of the lines."""

    knobs: Mapping[str, str]
    outcome: str
    told: str
    evidence: str = ""
    limit_s: float = 60.0


OUT_OF_MEMORY = "the device's memory is too small for it; a smaller batch may fit"
FAILURES = {
    "out of memory at load": Failure({"STANDIN_MEMORY_MB": "1"}, "oom", OUT_OF_MEMORY, "runtime result = 207001"),
    "out of memory for buffers": Failure(
        {"STANDIN_FAULT": "exec:oom"}, "oom", OUT_OF_MEMORY, "[ERROR] MemoryHelper::MxbsMalloc failed"
    ),
    "an OM of another chip": Failure(
        {"STANDIN_FAULT": "load:wrongsoc"},
        "unsupported",
        "the OM was made for Ascend310 and this chip is Ascend310P3; compile it with --soc_version=Ascend310P3",
        "supported socVersion=Ascend310P3, but the model socVersion=Ascend310",
    ),
    "a bad device": Failure(
        {"STANDIN_FAULT": "load:device"}, "crash", "the device cannot be opened", "[ERROR] acl open device 0 failed"
    ),
    "a failure in execution": Failure(
        {"STANDIN_FAULT": "exec:fail"},
        "crash",
        "the model was loaded and failed while it ran",
        "An exception of the aicore happened, chipId:0",
    ),
    "a hang": Failure({"STANDIN_FAULT": "exec:hang"}, "timeout", "no sign of life for 3 s, so it was ended", limit_s=3),
    "a crash": Failure({"STANDIN_FAULT": "exec:crash"}, "crash", "died by SIGSEGV (segmentation fault)"),
    "a kill": Failure(
        {"STANDIN_FAULT": "load:kill"},
        "crash",
        "killed with SIGKILL, most often since the host's memory ran out, not the device's",
    ),
    "no memory on the host": Failure({"STANDIN_FAULT": "exec:hostmemory"}, "crash", "the host's memory", "MemoryError"),
}


@pytest.fixture(params=list(FAILURES))
def failure(request, tools, monkeypatch) -> Failure:  # noqa: ARG001  after the stand-ins' own
    """One of everything that goes wrong with a chip."""
    wrong = FAILURES[request.param]
    for name, value in wrong.knobs.items():
        monkeypatch.setenv(name, value)
    return wrong

"""An OM fed from memory through InferSession: every trap of it, on stand-ins of the two generations that have it."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from roadworthy import pipeline, runtimes, worker
from roadworthy.case import Case
from roadworthy.problem import CaseFailed, Unavailable
from roadworthy.runtimes import ascend, lacks, om
from roadworthy.soc import find

P3 = "Ascend310P3"
CALL_S = 4 * 0.25e-3  # of a call of four images on the stand-ins' device
SRC = Path(ascend.__file__).parents[2]
BOTH = pytest.mark.parametrize("tools", ["b", "c"], indirect=True)


@pytest.fixture
def case(tiny_card):
    """The small model from memory, four frames at a time."""
    return Case(tiny_card, find(P3), 4)


@pytest.fixture
def dataset(tiny_data, tiny_card):
    """Five frames."""
    return pipeline.open_data(str(tiny_data), tiny_card)


@pytest.fixture
def apart(case, tmp_path):
    """What code makes of `session` in a process of its own: ais_bench would stay in this one. It leaves `found`."""
    beginning = (
        "import json, sys, numpy as np\n"
        "from pathlib import Path\n"
        "from roadworthy import card as cards\n"
        "from roadworthy.case import Case\n"
        "from roadworthy.runtimes import Job, ascend\n"
        "from roadworthy.soc import find\n"
        "card, om, out = map(Path, sys.argv[1:])\n"
        "case = Case(cards.load(card), find('Ascend310P3'), 4)\n"
        "session = ascend.open_session(om, case, Job(om, om, om.parent))\n"
    )

    def run(artifact, code):
        command = [sys.executable, "-c", f"{beginning}{code}\nout.write_text(json.dumps(found))", case.card.path]
        path = os.pathsep.join([str(SRC), os.environ["PYTHONPATH"]])
        out = tmp_path / "found.json"
        subprocess.run([*command, artifact, out], env={**os.environ, "PYTHONPATH": path}, check=True, stdout=2)
        return json.loads(out.read_text())

    return run


def changed(om, folder, header):
    """An OM whose header says something else, with the commands of the first one."""
    magic, line, graph = om.read_bytes().split(b"\n", 2)
    (folder / "commands.txt").write_text((om.parent / "commands.txt").read_text())
    (folder / "model.om").write_bytes(b"\n".join([magic, json.dumps({**json.loads(line), **header}).encode(), graph]))
    return folder / "model.om"


# How inputs are consumed


@BOTH
@pytest.mark.parametrize(
    ("header", "told"),
    [
        ({"inputs": {"image": [8, 3, 64, 128]}}, r"\[8, 3, 64, 128\] of type"),
        ({"inputs": {"image": [4, 3, 128, 64]}}, r"\[4, 3, 128, 64\] of type"),
        ({"inputs": {"image": [4, 3, 64, 256]}, "types": {"image": "FP16"}}, r"\[4, 3, 64, 256\] of type .*1"),
        ({"types": {"image": "FP16"}}, r"\[4, 3, 64, 128\] of type .*1"),
        ({"inputs": {"image": [4, 3, 64, 128], "size": [4]}}, r"\[4, 3, 64, 128\] of type .*, \[4\] of type"),
    ],
    ids=["batch", "as many bytes", "half the bytes an element", "type", "one more"],
)
def test_an_om_with_another_input_is_refused_with_its_reason(case, compiled, tmp_path, header, told):
    """Ais_bench compares numbers of bytes, and never what they are."""
    artifact, job = compiled(case)

    with pytest.raises(
        CaseFailed, match=rf"the OM takes {told}.*; by the card it must be \[4, 3, 64, 128\] in float32"
    ):
        worker.call(pipeline.timed, case, changed(artifact, tmp_path, header), job, log=tmp_path / "log")


@BOTH
def test_padding_of_the_last_batch_is_discarded(case, compiled, dataset, tmp_path):
    """Five frames at batch 4 are five matrices, those of the CPU."""
    cpu, (artifact, job) = Case(case.card, find("cpu"), 1), compiled(case)
    found = worker.call(pipeline.evaluated, case, artifact, job, dataset, 0, log=tmp_path / "log")
    right = worker.call(pipeline.evaluated, cpu, job.onnx, job, dataset, 0, log=tmp_path / "log")

    assert tuple(frame.stem for frame in dataset.frames) == found.stems
    assert np.array_equal(right.matrices, found.matrices)


@BOTH
def test_input_that_is_not_contiguous_is_made_so(case, compiled, apart):
    """B reads a transposed view in the order in which it lies in memory."""
    same = apart(
        compiled(case)[0],
        "image = np.random.default_rng(7).random((4, 64, 128, 3), np.float32)\n"
        "view = image.transpose(0, 3, 1, 2)\n"
        "one, other = session.stream([view, np.ascontiguousarray(view)])\n"
        "found = [bool(np.array_equal(one[0], other[0])), view.flags.c_contiguous]",
    )

    assert [True, False] == same


def test_a_batch_of_another_shape_is_no_input(case, compiled, apart):
    """As many bytes in another order are other images."""
    told = apart(
        compiled(case)[0],
        "try:\n    list(session.stream([np.zeros((4, 3, 128, 64), np.float32)]))\n"
        "except ValueError as error:\n    found = str(error)",
    )

    assert "the session was opened for (4, 3, 64, 128), the input is (4, 3, 128, 64)" == told


# Timing


@BOTH
def test_both_generations_give_the_same_figure(begin, case, tools):
    """Floats (B) or pairs of begin and end (C), by names that they spell unlike; both say that they are 0.0.2."""
    records = {r.metric: r for r in begin().throughput(case)}
    own = records["throughput"]

    assert pytest.approx(4 / CALL_S, rel=0.01) == own.value
    assert pytest.approx(1000 * CALL_S, rel=0.01) == records["latency.median"].value
    assert ("device", "ais_bench InferSession") == (own.clock, own.provider)
    assert {"b": "InferSession with sumary()", "c": "InferSession with summary()"}[tools] == own.environment[
        "ais_bench"
    ]
    assert "0.0.2" == metadata.version("ais_bench")


@BOTH
def test_warm_up_is_not_in_the_samples(case, compiled, tmp_path):
    """The ripple of the stand-in's times tells which executions they are: those before are in a list that grows."""
    timing = worker.call(pipeline.timed, case, *compiled(case), log=tmp_path / "log")
    before = 3 * len(timing.warmup.windows)
    right = [CALL_S * (1 + 0.009 * math.sin(before + number)) for number in range(1, 201)]

    assert right == pytest.approx(timing.samples, rel=0.001)


# Devices, paths


@pytest.mark.parametrize(("asked", "device"), [(2, 2), (None, 1)])
def test_one_of_several_devices_is_chosen_by_its_number(begin, case, monkeypatch, asked, device):
    """The first one of the chip unless told otherwise; temperature and power are of that one."""
    monkeypatch.setenv("STANDIN_SOC", f"Ascend310,{P3},{P3}")
    monkeypatch.setenv("STANDIN_LATENCY_MS", "5")  # long enough for a look at the device
    chosen = {r.metric: r for r in begin(device=asked).throughput(case)}

    assert [41 + device, 12.8 + device] == pytest.approx([chosen[m].value for m in ("temperature.max", "power.mean")])


def test_a_device_that_is_another_chip_is_not_asked_for(begin, case, monkeypatch):
    """`--device` of another chip names those that there are."""
    monkeypatch.setenv("STANDIN_SOC", f"Ascend310,{P3}")

    with pytest.raises(Unavailable, match=r"--device 0 is Ascend310 OK; those that are Ascend310P3 .*: \[1\]"):
        begin(device=0).throughput(case)


@pytest.mark.parametrize("kind", ["soft link", "plus"])
def test_a_model_goes_in_by_a_path_that_every_version_takes(
    case, compiled, own_cache, tmp_path, monkeypatch, apart, kind
):
    """Whatever the cache is called: a file, no soft link, of letters and digits, that no group may write."""
    compiled(case)
    own_cache(tmp_path / ("deeplabv3+" if kind == "plus" else "real"))
    if kind == "soft link":
        (tmp_path / "link").symlink_to(tmp_path / "real")
        monkeypatch.setenv("ROADWORTHY_CACHE", str(tmp_path / "link"))
    path, *facts = apart(
        compiled(case)[0],
        "path = Path(session._session.model_path)\n"
        "found = [str(path), path == path.resolve(), oct(path.stat().st_mode & 0o777)]",
    )

    assert [True, "0o640"] == facts
    assert om.PLAIN.fullmatch(path)


@pytest.mark.parametrize("name", ["with blank", "DeeplabV3+"])
def test_temporary_files_in_a_path_that_is_refused_are_told_in_one_sentence(
    begin, case, temporary_files, tmp_path, name
):
    """Before anything runs, with what to set."""
    temporary_files(tmp_path / name)

    with pytest.raises(
        Unavailable, match=rf"TMPDIR is .*/{re.escape(name)}, and newer ais_bench takes letters, digits"
    ):
        begin().throughput(case)


# Failures


def test_what_an_error_of_the_device_leaves_behind_is_not_left_where_the_user_is(begin, case, monkeypatch, tmp_path):
    """Files called exception_cb_index_* lie in the folder of the process."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("STANDIN_FAULT", "exec:fail")
    (lost,) = begin().throughput(case)

    assert "crash" == lost.outcome
    assert [] == list((tmp_path / "here").iterdir())


def test_a_failure_has_its_outcome_and_the_lines_that_decide(begin, case, failure):
    """One record, with the log."""
    run = begin(limit_s=failure.limit_s)
    (lost,) = run.throughput(case)

    assert [lost] == run.records
    assert (None, failure.outcome) == (lost.value, lost.outcome)
    assert failure.told in lost.detail
    assert f"{case.id}-timed.log" in lost.detail
    assert any(failure.evidence in line for line in lost.evidence) or not failure.evidence


@BOTH
@pytest.mark.parametrize("damage", ["missing", "cut short"])
def test_an_om_that_is_no_om_is_told(begin, case, compiled, own_cache, tmp_path, damage):
    """A cache that lost a file, or the end of one."""
    folder = compiled(case)[0].parent.name
    artifact = own_cache(tmp_path / "own") / "om" / folder / "model.om"
    if damage == "missing":
        artifact.unlink()
    else:
        os.truncate(artifact, artifact.stat().st_size // 2)
    (lost,) = begin().throughput(case)

    assert "crash" == lost.outcome
    assert ("model.om" if damage == "missing" else "the OM cannot be loaded") in lost.detail
    assert any("model.om" in line for line in lost.evidence)


def test_a_disk_that_is_full_when_the_om_is_compiled_is_told_so(begin, case, compiled, own_cache, small_disk):
    """In one record; nothing half made is left to the next run."""
    compiled(case)
    disk = own_cache(small_disk("1m") / "cache")
    run = begin()
    run.material.graph(case.card)
    shutil.rmtree(disk / "om")
    (disk / "filler").write_bytes(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize))
    (lost,) = run.throughput(case)

    assert [lost] == run.records
    assert "crash" == lost.outcome
    assert "a disk is full" in lost.detail
    assert [] == list(disk.glob("om/*/model.om"))


# What is there


def test_a_machine_without_the_package_is_told_of_both_ways(tools, monkeypatch):
    """Its wheel, or the command line."""
    monkeypatch.setattr(sys, "path", [path for path in sys.path if not path.endswith(f"standins/{tools}")])

    assert lacks(find(P3), "ascend").startswith("the package 'ais_bench' is not installed here: install the wheels")
    assert lacks(find(P3), "ascend").endswith("or judge by files with --runtime ais_bench")


@pytest.mark.usefixtures("tools")
def test_other_chips_are_not_its_own():
    """In one sentence."""
    assert "ais_bench runs Ascend chips, not T4" == lacks(find("T4"), "ascend")
    assert lacks(find(P3), "ascend") is None


def test_a_plan_names_what_runs_in_place_of_the_files(case):
    """The guide's commands as they are typed, and then the session."""
    plan = runtimes.find("ascend").plan(replace(case, batch=4), 0)

    assert plan[:-1] == runtimes.find("ais_bench").plan(case, 0)
    assert "ascend: ais_bench InferSession, batch 4, fed from memory in place of files" == plan[-1]

"""An OM by files: every trap of ais_bench's command line, on stand-ins of its three generations."""

from __future__ import annotations

import importlib
import math
import os
import re
import shutil
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from roadworthy import pipeline, worker
from roadworthy.case import Case
from roadworthy.problem import CaseFailed, OutOfMemory, Unavailable, Unsupported
from roadworthy.runtimes import ais_bench, lacks, om, onnxruntime
from roadworthy.soc import find

P3 = "Ascend310P3"
CALL_S = 4 * 0.25e-3  # of a call of four images on the stand-ins' device
EVERY = pytest.mark.parametrize("tools", ["a", "b", "c"], indirect=True)


@pytest.fixture
def case(tiny_card):
    """The small model by files, four frames at a time."""
    return Case(tiny_card, find(P3), 4, "ais_bench")


@pytest.fixture
def opened(case, compiled):
    """Opens a session for the case, or for another one, on the case's OM."""

    def session(other=case, made=case):
        artifact, job = compiled(made)
        return ais_bench.open_session(artifact, other, job)

    return session


@pytest.fixture
def dataset(tiny_data, tiny_card):
    """Five frames."""
    return pipeline.open_data(str(tiny_data), tiny_card)


@pytest.fixture
def matrices(case, compiled, dataset):
    """What the CPU makes of them, one at a time."""
    cpu, (_, job) = Case(case.card, find("cpu"), 1), compiled(case)
    return pipeline.evaluate(cpu, onnxruntime.open_session(job.onnx, cpu, job), dataset).matrices


@pytest.fixture
def wrapped(tools, tmp_path, monkeypatch):  # noqa: ARG001  after the stand-ins' own
    """Puts a script before ais_bench, which may change what is asked (`sys.argv`) or what is told."""

    def wrap(code, then="runpy.run_module('ais_bench', run_name='__main__', alter_sys=True)"):
        script = tmp_path / "wrapped.py"
        script.write_text(f"import os, pathlib, runpy, subprocess, sys\n{code}\n{then}\n")
        monkeypatch.setenv(om.VARIABLE, str(script))

    return wrap


def batches(case, count=1):
    """Noise."""
    shape = (case.batch, *case.card.input.shape)
    return list(np.random.default_rng(7).random((count, *shape), np.float32))


# How inputs are consumed


def test_an_om_of_another_batch_is_refused_by_the_line_that_groups_files(case, opened):
    """Eight files a batch and one run is what ais_bench makes of eight files; nobody asked it for eight."""
    session = opened(made=replace(case, batch=8))

    with pytest.raises(
        CaseFailed, match=r"took 8 files a batch in 1 runs; 4 in 2 are right; .* another size"
    ) as failed:
        list(session.stream(batches(case, 2)))
    assert ("filesperbatch:8 runcount:1",) == failed.value.evidence


def test_files_of_half_the_size_are_refused(case, opened):
    """Float16 files for a float32 model would be two files a batch, and a plausible throughput."""
    half = replace(case.card, input=replace(case.card.input, shape=(3, 32, 128)))

    with pytest.raises(CaseFailed, match=r"whose first axis is 4 cannot be parted among 8 files; .*\(float16 for"):
        list(opened(replace(case, card=half)).stream(batches(replace(case, card=half))))


def test_files_that_make_no_whole_batch_are_refused_with_both_sizes(case, opened):
    """The exception of ais_bench has no text; the cause is on its other stream."""
    large = replace(case.card, input=replace(case.card.input, shape=(3, 64, 256 + 64)))
    bytes_of = 4 * 4 * 3 * 64 * 128, 4 * 3 * 64 * (256 + 64)

    with pytest.raises(CaseFailed, match=rf"takes {bytes_of[0]} bytes and the first input file has {bytes_of[1]}; "):
        list(opened(replace(case, card=large)).stream(batches(replace(case, card=large))))


@EVERY
def test_padding_of_the_last_batch_is_discarded(case, opened, dataset, matrices):
    """Five frames at batch 4 are five matrices, those of the CPU."""
    found = pipeline.evaluate(case, opened(), dataset)

    assert tuple(frame.stem for frame in dataset.frames) == found.stems
    assert np.array_equal(matrices, found.matrices)


def test_frames_go_through_in_portions_of_what_fits_the_disk(case, opened, tmp_path, monkeypatch):
    """Every portion has a launch, and a folder that is gone before the next one."""
    monkeypatch.setattr(ais_bench, "PORTION", 1)
    several = batches(case, 3)
    found = [outputs[0].copy() for outputs in opened().stream(several)]

    assert 3 == (tmp_path / "logs" / f"{case.id}-ais_bench.log").read_text().count("$ cd ")
    assert [] == list((tmp_path / "tmp").glob("roadworthy-*"))
    assert 3 == len({outputs.tobytes() for outputs in found})


def test_a_small_data_set_needs_little_of_the_disk(case, opened, temporary_files, small_disk):
    """A portion is what there is to run and what there is room for, not gigabytes."""
    temporary_files(small_disk("32m"))

    assert 2 == len(list(opened().stream(batches(case, 2))))


# Timing


@EVERY
def test_all_generations_give_the_same_figure(begin, case, tools):
    """A time list of floats (B, C), or a printed mean alone (A)."""
    records = {r.metric: r for r in begin().throughput(case)}

    assert pytest.approx(4 / CALL_S, rel=0.01) == records["throughput"].value
    assert ("device", "ok") == (records["throughput"].clock, records["throughput"].outcome)
    assert (tools != "a") == ("latency.p95" in records)


def test_a_time_list_of_pairs_is_their_differences(opened, wrapped):
    """With threads, C lists begin and end of each execution and prints a mean alone."""
    wrapped("sys.argv += ['--threads', '2'] if '--loop' in sys.argv else []")

    assert [CALL_S] * 5 == pytest.approx(opened().sample(5), rel=0.02)


@pytest.mark.parametrize("tools", ["b", "c"], indirect=True)
def test_warm_up_is_not_in_the_samples(case, compiled, tmp_path):
    """The ripple of the stand-in's times tells which executions they are: three of each launch are left out."""
    timing = worker.call(pipeline.timed, case, *compiled(case), log=tmp_path / "log")
    first, used = ais_bench.WARMUP + 1, measured_calls(timing)
    executions = [*range(first + used, first + ais_bench.LOOP), *range(first, 9999)]

    assert [wave(number) for number in executions[:200]] == pytest.approx(timing.samples, rel=0.001)


def measured_calls(timing):
    """Executions that the warm-up of the measurement took."""
    return 3 * len(timing.warmup.windows)


def wave(execution):
    """Seconds that the stand-in reports for the execution of this number."""
    return CALL_S * (1 + 0.009 * math.sin(execution))


def test_a_batch_size_that_is_none_of_the_models_never_scales_a_figure(begin, case, wrapped):
    """What ais_bench is told only multiplies: 64 in place of 4 would be 16 times the speed, with exit status 0."""
    wrapped("at = sys.argv.index('--batchsize') if '--batchsize' in sys.argv else None\nif at: sys.argv[at + 1] = '64'")
    (lost,) = begin().throughput(case)

    assert (None, "crash") == (lost.value, lost.outcome)
    assert "images/s for batches of 64 in 1" in lost.detail
    assert lost.detail.endswith("the model's batch is 4")
    assert "--batchsize 4" in lost.evidence[0]


def test_an_om_of_another_batch_gives_no_throughput(case, opened):
    """The model's own output says what its batch is, whatever was asked for and printed."""
    with pytest.raises(CaseFailed, match="the model's batch is 8, as its output says"):
        opened(made=replace(case, batch=8)).sample(3)


REVERSED = """
done = subprocess.run([sys.executable, '-m', 'ais_bench', *sys.argv[1:]], capture_output=True, text=True)
lines = done.stdout.splitlines()[::-1] if '--help' not in sys.argv else done.stdout.splitlines()
print('\\n'.join(lines)); print(done.stderr, file=sys.stderr); sys.exit(done.returncode)
"""


def test_the_order_of_printed_lines_does_not_matter(case, opened, wrapped, monkeypatch):
    """Native lines come late at a pipe: a figure, and why there is none, are found in any order."""
    wrapped(REVERSED)
    session = opened()
    assert 3 == len(session.sample(3))
    assert 1 == len(list(session.stream(batches(case))))

    monkeypatch.setenv("STANDIN_MEMORY_MB", "1")
    with pytest.raises(OutOfMemory):
        list(session.stream(batches(case)))


# Results


def test_a_stale_result_can_never_be_scored(case, opened, wrapped, tmp_path, monkeypatch):
    """An ais_bench that ends well and writes nothing, after one that wrote: a new folder for every launch tells."""
    monkeypatch.setattr(ais_bench, "PORTION", 1)
    ran = tmp_path / "ran"
    wrapped(f"ran = pathlib.Path({str(ran)!r})\nif ran.exists(): sys.exit(0)\nif '--input' in sys.argv: ran.touch()")
    outputs = opened().stream(batches(case, 2))
    next(outputs)

    with pytest.raises(CaseFailed, match=r"ais_bench ended well and did not write 000000_0\.npy"):
        next(outputs)


def test_frames_whose_names_have_dots_do_not_collide(case, opened, dataset, matrices):
    """Ais_bench cuts names at the first dot, `img.a` and `img.b` to one: it never sees a frame's name."""
    dotted = tuple(replace(frame, stem=f"img.{number}.x") for number, frame in enumerate(dataset.frames))
    found = pipeline.evaluate(case, opened(), replace(dataset, frames=dotted))

    assert ("img.0.x", "img.1.x") == found.stems[:2]
    assert np.array_equal(matrices, found.matrices)
    assert 5 == len(set(found.digests))


def test_half_precision_outputs_are_read_as_such(case, opened):
    """A raw file does not tell its type; half the bytes would be another shape."""
    half = replace(case, card=replace(case.card, atc=replace(case.card.atc, output_type="FP16")))
    (inputs,) = batches(case)
    (whole,), (found,) = (next(opened(made, made).stream([inputs])) for made in (case, half))

    assert np.float16 == found.dtype
    assert np.array_equal(whole.astype(np.float16), found)


# Paths and permissions


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


def test_temporary_files_behind_a_soft_link_are_no_harm(opened, temporary_files, tmp_path):
    """Ais_bench is started in the folder itself, and told of names in it."""
    (tmp_path / "link").symlink_to(tmp_path / "tmp")
    temporary_files(tmp_path / "link")

    assert 3 == len(opened().sample(3))


@pytest.mark.parametrize("kind", ["soft link", "plus"])
def test_a_cache_that_is_refused_is_no_harm(case, opened, own_cache, compiled, tmp_path, monkeypatch, kind):
    """The OM goes under a name of ours into a folder of ours, as a file and not as a soft link."""
    compiled(case)
    own_cache(tmp_path / ("deeplabv3+" if kind == "plus" else "real"))
    if kind == "soft link":
        (tmp_path / "link").symlink_to(tmp_path / "real")
        monkeypatch.setenv("ROADWORTHY_CACHE", str(tmp_path / "link"))

    assert 3 == len(opened().sample(3))


@pytest.mark.parametrize("disk", ["same disk", "another disk"])
def test_what_others_may_write_is_not_handed_over(case, opened, temporary_files, small_disk, disk):
    """C refuses a model and inputs that a group may write, and a umask of 002 is some systems' own."""
    if disk == "another disk":
        temporary_files(small_disk("5g"))
    before = os.umask(0o002)
    try:
        outputs = list(opened().stream(batches(case)))
    finally:
        os.umask(before)

    assert 1 == len(outputs)


# The version check


@pytest.fixture
def pkg_resources(tmp_path, monkeypatch):
    """Gives ais_bench's Python this code as its `pkg_resources`."""

    def write(code):
        (tmp_path / "pkg_resources.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)

    return write


@EVERY
def test_the_mode_that_the_version_check_forces_is_recorded(opened, tools, pkg_resources):
    """Recent setuptools has no pkg_resources: the mode becomes `tensor` silently."""
    pkg_resources("raise ImportError")
    session = opened()
    session.sample(3)

    told = {"run_mode": "tensor, since ais_bench could not check aclruntime's version"}
    assert ({} if tools == "a" else told) == {k: v for k, v in session.facts.items() if k == "run_mode"}


def test_a_mode_that_was_left_alone_is_not_mentioned(opened, pkg_resources):
    """Where pkg_resources knows aclruntime."""
    pkg_resources("def get_distribution(name):\n    return name\n")
    session = opened()
    session.sample(3)

    assert {"om", "ais_bench"} == session.facts.keys()
    assert "--batchsize 4 --device 0" in session.facts["ais_bench"]


# Devices


@pytest.mark.parametrize(("asked", "device"), [(2, 2), (None, 1)])
def test_one_of_several_devices_is_chosen_by_its_number(begin, case, monkeypatch, asked, device):
    """The first one of the chip unless told otherwise; temperature and power are of that one."""
    monkeypatch.setenv("STANDIN_SOC", f"Ascend310,{P3},{P3}")
    monkeypatch.setenv("STANDIN_LATENCY_MS", "5")  # long enough for a look at the device
    chosen = {r.metric: r for r in begin(device=asked).throughput(case)}

    assert f"--device {device}" in chosen["throughput"].environment["ais_bench"]
    assert [41 + device, 12.8 + device] == pytest.approx([chosen[m].value for m in ("temperature.max", "power.mean")])


def test_a_device_that_is_another_chip_does_not_take_the_om(opened, monkeypatch):
    """Both chips are named."""
    monkeypatch.setenv("STANDIN_SOC", f"Ascend310,{P3}")

    with pytest.raises(Unsupported, match="the OM was made for Ascend310P3 and this chip is Ascend310;"):
        opened().sample(3)


def test_a_device_that_is_another_chip_is_not_asked_for(begin, case, monkeypatch):
    """`--device` of another chip names those that there are."""
    monkeypatch.setenv("STANDIN_SOC", f"Ascend310,{P3}")

    with pytest.raises(Unavailable, match=r"--device 0 is Ascend310 OK; those that are Ascend310P3 .*: \[1\]"):
        begin(device=0).throughput(case)


# The host


def test_the_host_s_memory_is_told_apart_from_the_device_s(opened, monkeypatch):
    """The input of a pure inference is built as a list, eight bytes for each: no OOM of the chip, and not begun."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=10**6))

    with pytest.raises(
        CaseFailed, match=r"0\.0 GB of the host's memory, not the device's, and 0\.0 GB are free"
    ) as lost:
        opened().sample(3)
    assert "crash" == lost.value.outcome


def test_a_full_disk_is_told_before_the_run(begin, case, temporary_files, small_disk):
    """In one record, with what is needed and where."""
    temporary_files(small_disk("2m"))
    run = begin()
    (lost,) = run.accuracy(case)

    assert [lost] == run.records
    assert "crash" == lost.outcome
    assert "of inputs and results" in lost.detail
    assert lost.detail.endswith("are free; TMPDIR names another folder")


@pytest.fixture
def lying(tmp_path, monkeypatch):
    """Does the work in a process where every disk says that it has room."""
    (tmp_path / "lying.py").write_text(
        "import shutil\n"
        "from types import SimpleNamespace\n"
        "from roadworthy import pipeline\n"
        "def evaluated(*arguments):\n"
        "    shutil.disk_usage = lambda _: SimpleNamespace(free=1 << 40)\n"
        "    return pipeline.evaluated(*arguments)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    work = {"evaluated": importlib.import_module("lying").evaluated}
    yield lambda asked, *given, **how: worker.call(work.get(asked.__name__, asked), *given, **how)
    del sys.modules["lying"]


@pytest.mark.parametrize("size", ["512k", "2m"], ids=["inputs", "results"])
def test_a_disk_that_fills_meanwhile_is_told_so(begin, case, temporary_files, small_disk, lying, size):
    """While inputs are written, or results: in one record."""
    temporary_files(small_disk(size))
    run = begin(call=lying)
    (lost,) = run.accuracy(case)

    assert [lost] == run.records
    assert "crash" == lost.outcome
    assert "a disk is full" in lost.detail
    assert re.search(r"No space left on device|\d+ requested and \d+ written", "\n".join(lost.evidence))


# Failures


@pytest.mark.parametrize("tools", ["b"], indirect=True)
def test_a_failure_has_its_outcome_and_the_lines_that_decide(begin, case, failure):
    """One record, with the log, and the command where it ended; of one that hangs, its last words."""
    run = begin(limit_s=failure.limit_s)
    (lost,) = run.throughput(case)

    assert [lost] == run.records
    assert (None, failure.outcome) == (lost.value, lost.outcome)
    assert failure.told in lost.detail
    assert f"logs/{case.id}" in lost.detail
    assert any(failure.evidence in line for line in lost.evidence)
    assert ("timeout" != failure.outcome) == lost.evidence[0].startswith("$ ")


@pytest.mark.parametrize("damage", ["missing", "cut short"])
def test_an_om_that_is_no_om_is_told(begin, case, compiled, own_cache, tmp_path, damage):
    """A cache that lost a file, or the end of one."""
    folder = compiled(case)[0].parent.name
    om = own_cache(tmp_path / "own") / "om" / folder / "model.om"
    if damage == "missing":
        om.unlink()
    else:
        os.truncate(om, om.stat().st_size // 2)
    (lost,) = begin().throughput(case)

    assert "crash" == lost.outcome
    assert ("model.om" if damage == "missing" else "the OM cannot be loaded") in lost.detail
    assert any("model.om" in line for line in lost.evidence)


# The tool


def test_a_machine_without_ais_bench_is_told_what_to_install(tools, monkeypatch):
    """In one sentence."""
    monkeypatch.setattr(sys, "path", [path for path in sys.path if not path.endswith(f"standins/{tools}")])

    assert lacks(find(P3), "ais_bench").startswith(
        "ais_bench is not here: install its wheel and aclruntime's into this"
    )


@pytest.mark.parametrize(
    ("named", "told"),
    [("/nowhere/python", "/nowhere/python cannot be started (No such file"), (shutil.which("false"), "exit status 1")],
)
@pytest.mark.usefixtures("tools")
def test_an_ais_bench_that_does_not_start_is_told(monkeypatch, named, told):
    """Before anything is judged."""
    monkeypatch.setenv(om.VARIABLE, named)

    assert told in lacks(find(P3), "ais_bench")


@pytest.mark.usefixtures("tools")
def test_a_python_without_ais_bench_is_told(monkeypatch):
    """The one that the variable names."""
    monkeypatch.setenv(om.VARIABLE, sys.executable)
    monkeypatch.delenv("PYTHONPATH")

    assert "this Python has no ais_bench; install its wheel" in lacks(find(P3), "ais_bench")

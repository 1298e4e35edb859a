"""The compiler: its command, an OM made once for the same content, failures told in a sentence."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import stat
import sys
from dataclasses import replace
from pathlib import Path

import onnx
import psutil
import pytest
from onnx import TensorProto, helper

from roadworthy.card import Atc, Output
from roadworthy.case import Case
from roadworthy.problem import CaseFailed, Problem, TimedOut, Unsupported
from roadworthy.runtimes import Job, atc
from roadworthy.soc import find

STANDINS = Path(__file__).parents[1] / "standins"
ODD = ["a b;touch hacked;", """it's "$(touch hacked)\"""", "x/../y"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A place of our own: the stand-ins first on PATH, an empty cache, a home that nobody tuned in."""
    for name in [name for name in os.environ if name.startswith(("STANDIN_", "ASCEND_", "TUNE_"))]:
        monkeypatch.delenv(name)
    path = [str(STANDINS / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(path))
    monkeypatch.setenv("ROADWORTHY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ASCEND_TOOLKIT_HOME", str(tmp_path / "cann"))
    (tmp_path / "cann").mkdir()
    return tmp_path


@pytest.fixture
def case(tiny_card):
    """The small model at batch 4 on an Ascend310P3."""
    return Case(tiny_card, find("Ascend310P3"), 4)


@pytest.fixture
def job(folder):
    """A graph, and a folder for logs."""
    return Job(graph(folder / "net.onnx"), folder / "none.pth", folder / "logs")


def graph(path: Path, slope: float = 0.5) -> Path:
    """A network of one node in a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image, output = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3, 64, 128]) for name in ("image", "output1")
    )
    node = helper.make_node("LeakyRelu", ["image"], ["output1"], name="output1", alpha=slope)
    made = helper.make_graph([node], "net", [image], [output])
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 11)], ir_version=8), path)
    return path


def header(om: Path) -> dict:
    """What a stand-in's OM says of itself."""
    return json.loads(om.read_bytes().split(b"\n", 2)[1])


def log(job: Job, case: Case) -> Path:
    """Where the compiler's words are kept."""
    return job.logs / f"{case.id}-atc.log"


def typed(line: str) -> list[str]:
    """The words of a command that is shown, without the variables before it."""
    words = shlex.split(line)
    return words[words.index("atc") :]


def left(folder: Path) -> list[Path]:
    """What lies in the cache and is no lock."""
    return [path for path in (folder / "cache" / "om").iterdir() if path.suffix != ".lock"]


def first_on_path(monkeypatch, folder: Path) -> None:
    """Tools of this folder are taken from now on."""
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_the_command_is_the_guides(tiny_card):
    """All axes fixed, for the chip that a variant is."""
    words = atc.arguments(Case(tiny_card, find("Ascend310P3+aoe"), 4), "net.onnx", "net")

    assert [
        "atc",
        "--framework=5",
        "--model=net.onnx",
        "--output=net",
        "--input_format=NCHW",
        "--input_shape=image:4,3,64,128",
        "--soc_version=Ascend310P3",
        "--log=error",
    ] == words


def test_the_cards_options_and_outputs_are_in_the_command(tiny_card):
    """Outputs of several that are kept are named by their nodes; an option without a value is no flag."""
    wishes = Atc("FP16", log="null", options={"enable_small_channel": "1", "op_select_implmode": ""})
    card = replace(tiny_card, atc=wishes, output=Output("logits", count=3))
    dropping = replace(card, surgery=(*card.surgery, {"pass": "keep_outputs", "count": 2}))
    words = atc.arguments(Case(dropping, find("Ascend310"), 1), "net.onnx", "net")

    assert ["--out_nodes=output1:0;output2:0", "--output_type=FP16", "--enable_small_channel=1"] == words[6:9]
    assert ["--soc_version=Ascend310", "--log=null"] == words[9:]
    assert "--out_nodes=output1:0;output2:0;output3:0" in atc.arguments(Case(card, find("Ascend310"), 1), "n", "n")


def test_an_om_is_of_the_cases_chip_batch_and_type(case, job):
    """It lies alone with its command, closed to others as newer ais_bench wants it."""
    half = replace(case, card=replace(case.card, atc=Atc(output_type="FP16")))
    om = atc.build(half, job)
    told = header(om)

    assert ("Ascend310P3", {"image": [4, 3, 64, 128]}) == (told["soc"], told["inputs"])
    assert [["output1", [4, 3, 64, 128], "FP16"]] == told["outputs"]
    assert 0o640 == stat.S_IMODE(om.stat().st_mode)
    assert atc.arguments(half, atc.ONNX, "model") == typed(om.with_name(atc.COMMANDS).read_text(encoding="utf-8"))
    assert not om.with_name(atc.ONNX).exists()
    assert job.onnx.is_file()


def test_the_same_content_is_compiled_once(case, job, folder):
    """Another file of the same bytes, and other logs: no tool runs, what the first one said stays as it is."""
    first = atc.build(case, job)
    said = log(job, case).read_bytes()
    copy = Job(Path(shutil.copy(job.onnx, folder / "copy.onnx")), folder / "other.pth", folder / "later")

    assert first == atc.build(case, job) == atc.build(case, copy)
    assert said == log(job, case).read_bytes()
    assert 1 == said.count(b"$ cd ")
    assert not (folder / "later").exists()


def another_batch(case, _folder, _monkeypatch):
    """Batch 1."""
    return replace(case, batch=1)


def another_chip(case, _folder, _monkeypatch):
    """An Ascend310."""
    return replace(case, soc=find("Ascend310"))


def another_type(case, _folder, _monkeypatch):
    """Outputs in float16."""
    return replace(case, card=replace(case.card, atc=Atc(output_type="FP16")))


def another_graph(case, folder, _monkeypatch):
    """The same file, other content."""
    graph(folder / "net.onnx", slope=0.25)
    return case


def another_compiler(case, folder, monkeypatch):
    """The stand-in with one line more."""
    shutil.copytree(STANDINS / "bin", folder / "newer" / "bin")
    (folder / "newer" / "engine").symlink_to(STANDINS / "engine")
    with (folder / "newer" / "bin" / "atc").open("a", encoding="utf-8") as file:
        file.write("# newer\n")
    first_on_path(monkeypatch, folder / "newer" / "bin")
    return case


def another_cann(case, folder, _monkeypatch):
    """The toolkit's version."""
    (folder / "cann" / "version.cfg").write_text("version=7.0.RC1\n", encoding="utf-8")
    return case


@pytest.mark.parametrize(
    "change", [another_batch, another_chip, another_type, another_graph, another_compiler, another_cann]
)
def test_other_content_is_compiled_anew(case, job, folder, monkeypatch, change):
    """Batch, chip, option, graph, compiler and CANN are what an OM depends on; the first one stays."""
    first = atc.build(case, job)
    content = first.read_bytes()
    second = atc.build(change(case, folder, monkeypatch), job)

    assert first.parent != second.parent
    assert {first.parent, second.parent} == set(left(folder))
    assert 2 == sum(path.read_bytes().count(b"$ cd ") for path in job.logs.glob("*.log"))
    assert content == first.read_bytes()


@pytest.mark.parametrize(
    ("code", "kind", "told"),
    [
        ("E10001", CaseFailed, "x is no value of --x: asked for by a test; atc --help lists what it takes"),
        ("E10016", CaseFailed, "--input_shape takes the names of the graph's inputs, --out_nodes those of its nodes"),
        ("E19010", Unsupported, "this CANN cannot read the operator ai.onnx::11::X (x); export with an opset"),
        ("EZ3002", Unsupported, "the chip's AIcoreEngine does not take the operator X as it is here: The op is not"),
        (
            "EC0010",
            CaseFailed,
            "Python fails for the compiler with ModuleNotFoundError: No module named decorator; install it for",
        ),
    ],
)
def test_a_refusal_is_one_sentence_with_code_command_and_log(case, job, folder, monkeypatch, code, kind, told):
    """The class says whether another chip or CANN would take it; nothing stays in the cache."""
    monkeypatch.setenv("STANDIN_FAULT", f"atc:{code}:4")
    with pytest.raises(CaseFailed) as caught:
        atc.build(case, job)

    assert kind is caught.type
    assert str(caught.value).startswith(f"{case.id}: {code}: ")
    assert told in str(caught.value)
    assert str(caught.value).endswith(f" (log: {log(job, case)})")
    assert "\n" not in str(caught.value)
    assert caught.value.evidence[0].startswith("$ TUNE_BANK_PATH=")
    assert atc.arguments(case, atc.ONNX, "model") == typed(caught.value.evidence[0])
    assert caught.value.evidence[1].startswith(f"{code}: [PID: ")
    assert [] == left(folder)
    assert "ATC run failed" in log(job, case).read_text(encoding="utf-8")


def test_a_refusal_of_one_batch_leaves_another_alone(case, job, monkeypatch):
    """And what failed is tried again."""
    monkeypatch.setenv("STANDIN_FAULT", "atc:E19999:4")
    with pytest.raises(CaseFailed, match="E19999"):
        atc.build(case, job)

    assert [1, 3, 64, 128] == header(atc.build(replace(case, batch=1), job))["inputs"]["image"]
    monkeypatch.delenv("STANDIN_FAULT")
    assert [4, 3, 64, 128] == header(atc.build(case, job))["inputs"]["image"]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("kill", "the compiler was killed or broke, most often since the host's memory ran out"),
        ("hostmemory", "the compiler was killed or broke, most often since the host's memory ran out"),
        ("crash", "the compiler: died by SIGSEGV"),
    ],
)
def test_a_compiler_that_dies_is_told_by_how_it_died(case, job, folder, monkeypatch, kind, told):
    """Killed by the system, out of memory in Python, crashed: no E-code says so, and it is never the device's memory."""
    monkeypatch.setenv("STANDIN_FAULT", f"atc:{kind}")
    with pytest.raises(CaseFailed) as caught:
        atc.build(case, job)

    assert CaseFailed is caught.type
    assert str(caught.value).startswith(f"{case.id}: {told}")
    assert str(log(job, case)) in str(caught.value)
    assert atc.arguments(case, atc.ONNX, "model") == typed(caught.value.evidence[0])
    assert [] == left(folder)


def test_a_compiler_that_hangs_is_ended(case, job, folder, monkeypatch):
    """It ignores SIGTERM; after its limit there is no process, no folder, and a sentence."""
    monkeypatch.setenv("STANDIN_FAULT", "atc:hang")
    monkeypatch.setattr(atc, "LIMIT_S", 3.0)
    before = psutil.Process().children(recursive=True)
    with pytest.raises(TimedOut, match="atc was ended after 3 s without a result; its log is ") as caught:
        atc.build(case, job)

    assert [] == [process for process in psutil.Process().children(recursive=True) if process not in before]
    assert "--soc_version=Ascend310P3" in caught.value.evidence[0]
    assert caught.value.evidence[1:] == ("ATC start working now, please wait for a moment.",)
    assert [] == left(folder)


@pytest.mark.parametrize(
    ("does", "good"),
    [
        ("echo ATC run success; echo om > model.om", True),
        ("echo om > model.om", False),
        ("echo ATC run success", False),
        ("echo ATC run success; echo om > model.om; exit 1", False),
        ("echo ATC run success >&2; echo om > model.om", False),
    ],
)
def test_success_is_the_line_and_the_file_and_the_status(case, job, folder, monkeypatch, does, good):
    """One without the others is a failure."""
    (folder / "odd").mkdir()
    (folder / "odd" / "atc").write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
    (folder / "odd" / "atc").chmod(0o755)
    first_on_path(monkeypatch, folder / "odd")
    refused = pytest.raises(CaseFailed, match=r"^tiny-bs4-Ascend310P3: .* \(log: .*-atc\.log\)$")
    with contextlib.nullcontext() if good else refused:
        atc.build(case, job)

    assert int(good) == len(left(folder))


@pytest.mark.parametrize("named", [False, True])
def test_what_a_user_tuned_does_not_enter_an_untuned_om(case, job, folder, monkeypatch, named):
    """The bank is our own and empty, whatever lies in the user's or in the one that the environment names."""
    bank = folder / "home" / ".ascend_bank"
    if named:
        bank = folder / "named"
        monkeypatch.setenv("TUNE_BANK_PATH", str(bank))
    bank.mkdir(parents=True)
    (bank / "tuned-x.json").write_text("{}", encoding="utf-8")
    om = atc.build(case, job)

    assert header(om)["tuned"] is False
    assert ["tuned-x.json"] == [path.name for path in bank.iterdir()]


@pytest.mark.parametrize("odd", ODD)
def test_any_name_of_a_folder_is_taken_as_it_is(case, folder, monkeypatch, odd):
    """Blanks, quotes, semicolons, `..` in the paths of graph, cache and logs: none reaches a shell or the tool."""
    monkeypatch.setenv("ROADWORTHY_CACHE", str(folder / odd / "cache"))
    job = Job(graph(folder / odd / "net.onnx"), folder / "none.pth", folder / odd / "logs")
    om = atc.build(case, job)
    first = log(job, case).read_text(encoding="utf-8").splitlines()[0]

    assert "Ascend310P3" == header(om)["soc"]
    assert om.is_relative_to(folder / odd / "cache")
    assert [] == list(folder.rglob("hacked"))
    assert ["$", "cd"] == shlex.split(first)[:2]
    assert f"TUNE_BANK_PATH={shlex.split(first)[2]}/bank" in shlex.split(first)


def test_a_machine_without_the_compiler_says_where_it_is(case, job, folder, monkeypatch):
    """Before anything is made."""
    monkeypatch.setenv("PATH", str(folder))

    assert atc.missing().startswith("atc is not on PATH; CANN's set_env.sh puts it there")
    with pytest.raises(Problem, match="atc is not on PATH"):
        atc.build(case, job)
    monkeypatch.setenv("PATH", str(STANDINS / "bin"))
    assert atc.missing() is None

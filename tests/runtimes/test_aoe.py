"""The tuner: its searches in order, each kept, on a bank that nothing else sees."""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from roadworthy.card import Aoe
from roadworthy.case import Case
from roadworthy.problem import CaseFailed, TimedOut
from roadworthy.runtimes import Job, aoe, atc
from roadworthy.soc import find

STANDINS = Path(__file__).parents[1] / "standins"
FAILING = f"""
case "$*" in *--job_type=2*) [ -e "$FAIL" ] && echo '{{}}' > "$TUNE_BANK_PATH/half.json" && exit 1;; esac
exec {shlex.quote(sys.executable)} {shlex.quote(str(STANDINS / "bin" / "aoe"))} "$@"
"""
LEARNT = {1: "tuned-model-sgat.json", 2: "tuned-model-opat.json"}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A place of our own: the stand-ins first on PATH, an empty cache, a home that nobody tuned in."""
    for name in [name for name in os.environ if name.startswith(("STANDIN_", "ASCEND_", "TUNE_"))]:
        monkeypatch.delenv(name)
    path = [str(STANDINS / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(path))
    monkeypatch.setenv("ROADWORTHY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def case(tiny_card):
    """The small model at batch 4, tuned for an Ascend310P3."""
    return Case(tiny_card, find("Ascend310P3+aoe"), 4)


@pytest.fixture
def job(folder):
    """A network of one node, and a folder for logs."""
    image, output = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3, 64, 128]) for name in ("image", "output1")
    )
    node = helper.make_node("Relu", ["image"], ["output1"], name="output1")
    graph = helper.make_graph([node], "net", [image], [output])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8), folder / "net.onnx")
    return Job(folder / "net.onnx", folder / "none.pth", folder / "logs")


@pytest.fixture
def tool(folder, monkeypatch):
    """Puts a tuner of a few lines of shell first on PATH."""

    def put(text: str) -> None:
        path = folder / "odd" / "aoe"
        path.parent.mkdir()
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")

    return put


def header(om: Path) -> dict:
    """What a stand-in's OM says of itself."""
    return json.loads(om.read_bytes().split(b"\n", 2)[1])


def runs(job: Job) -> dict[str, int]:
    """How often the tuner was started, by log."""
    return {path.stem[-4:]: path.read_bytes().count(b"$ cd ") for path in job.logs.glob("*.log")}


def made(folder: Path) -> dict[str, Path]:
    """What lies in the cache and is neither a lock nor a bank, by what made it."""
    found = [path for path in (folder / "cache" / "om").iterdir() if path.suffix not in (".lock", ".bank")]
    return {path.name.split("-")[3]: path for path in found}


def typed(line: str) -> list[str]:
    """The words of a command that is shown, without the variables before it."""
    words = shlex.split(line)
    return words[words.index("aoe") :]


def learnt(folder: Path) -> list[str]:
    """What a bank holds."""
    return sorted(path.name for path in (folder / aoe.BANK).iterdir())


def test_the_command_names_no_chip(case):
    """The tuner takes the board's own; the rest is as the compiler is told."""
    words = aoe.arguments(case, "net.onnx", "net", 2)

    assert ["aoe", *atc.of_graph(case, "net.onnx", "net"), "--job_type=2"] == words
    assert not [word for word in words if "soc_version" in word or "--log" in word]


def test_searches_go_in_order_each_on_what_the_one_before_found(case, job, folder):
    """Subgraphs, then operators: a bank each, the second begins as a copy of the first, which stays as it was."""
    om = aoe.build(case, job)
    first, second = made(folder)["aoe1"], made(folder)["aoe2"]
    commands = om.with_name(atc.COMMANDS).read_text(encoding="utf-8").splitlines()

    assert second / atc.OM == om
    assert (True, "Ascend310P3", {"image": [4, 3, 64, 128]}) == tuple(header(om)[k] for k in ("tuned", "soc", "inputs"))
    assert [LEARNT[1]] == learnt(first)
    assert sorted(LEARNT.values()) == learnt(second)
    assert [aoe.arguments(case, atc.ONNX, "model", number) for number in (1, 2)] == list(map(typed, commands))
    assert {"aoe1": 1, "aoe2": 1} == runs(job)
    assert [] == list((folder / "cache" / "om").glob("*.bank"))


@pytest.mark.parametrize("workspace", ["0", "1"])
def test_the_om_is_found_where_the_tool_leaves_it(case, job, monkeypatch, workspace):
    """Under the name asked for, or in its own workspace."""
    monkeypatch.setenv("STANDIN_AOE_WORKSPACE", workspace)
    om = aoe.build(replace(case, card=replace(case.card, aoe=Aoe((1,)))), job)

    assert header(om)["tuned"] is True
    assert [om] == list(om.parent.rglob("*.om"))


def test_the_same_content_is_tuned_once(case, job):
    """Hours are not spent again: no tool runs."""
    first = aoe.build(case, job)
    said = {path: path.read_bytes() for path in job.logs.iterdir()}

    assert first == aoe.build(case, job)
    assert said == {path: path.read_bytes() for path in job.logs.iterdir()}


@pytest.mark.parametrize("job_types", [(1,), (2,), (2, 1)])
def test_only_the_cards_searches_are_made(case, job, folder, job_types):
    """In the card's order; nothing of the others is left."""
    om = aoe.build(replace(case, card=replace(case.card, aoe=Aoe(job_types))), job)

    assert {f"aoe{number}" for number in job_types} == set(made(folder))
    assert {f"aoe{number}": 1 for number in job_types} == runs(job)
    assert sorted(LEARNT[number] for number in job_types) == learnt(om.parent)
    assert f"aoe{job_types[-1]}" in om.parent.name


def test_a_search_that_fails_does_not_cost_the_one_before(case, job, folder, tool, monkeypatch):
    """Job type 1 is kept when 2 fails: the next attempt makes only 2, on what 1 has found and 2 before it failed."""
    (folder / "fail").touch()
    monkeypatch.setenv("FAIL", str(folder / "fail"))
    tool(FAILING)
    with pytest.raises(CaseFailed, match="aoe: "):
        aoe.build(case, job)
    kept = set(made(folder))
    (folder / "fail").unlink()
    om = aoe.build(case, job)

    assert {"aoe1"} == kept
    assert {"aoe1": 1, "aoe2": 2} == runs(job)
    assert sorted(["half.json", *LEARNT.values()]) == learnt(om.parent)
    assert [LEARNT[1]] == learnt(made(folder)["aoe1"])
    assert [] == list((folder / "cache" / "om").glob("*.bank"))


def test_an_exit_status_is_no_success(case, job, folder, monkeypatch):
    """Without its last line the tuner has failed, whatever it returns; sentence, command and log are told."""
    monkeypatch.setenv("STANDIN_FAULT", "aoe:quiet")
    with pytest.raises(CaseFailed) as caught:
        aoe.build(case, job)

    assert CaseFailed is caught.type
    assert str(caught.value).startswith("tiny-bs4-Ascend310P3+aoe: aoe: ")
    assert str(job.logs / f"{case.id}-aoe1.log") in str(caught.value)
    assert caught.value.evidence[0].startswith("$ TUNE_BANK_PATH=")
    assert aoe.arguments(case, atc.ONNX, "model", 1) == typed(caught.value.evidence[0])
    assert {} == made(folder)


def test_a_refusal_of_the_tuner_is_told_by_its_code(case, job, monkeypatch):
    """As the compiler's are."""
    monkeypatch.setenv("STANDIN_FAULT", "aoe:EZ3002:4")
    with pytest.raises(
        CaseFailed, match=r"aoe: EZ3002: the chip's AIcoreEngine does not take the operator X"
    ) as caught:
        aoe.build(case, job)

    assert "unsupported" == caught.value.outcome


def test_a_search_that_fails_on_the_device_is_told_as_a_run_is(case, job, monkeypatch):
    """The tuner runs what it makes: it is no failure of a compiler."""
    monkeypatch.setenv("STANDIN_SOC", "")
    with pytest.raises(CaseFailed, match=r"aoe: .*the device cannot be opened") as caught:
        aoe.build(case, job)

    assert "compiler" not in str(caught.value)
    assert caught.value.evidence[1].endswith("SetDevice failed. ret=507033, device 0")


def test_a_success_without_an_om_is_a_failure(case, job, folder, tool):
    """Neither under the name asked for nor in the workspace."""
    tool("echo Aoe process finished")
    with pytest.raises(
        CaseFailed, match=r"aoe finished and left no OM, nor one in aoe_workspace; its log is .*aoe1\.log"
    ):
        aoe.build(case, job)

    assert {} == made(folder)


def test_a_tuner_that_hangs_is_ended(case, job, folder, monkeypatch):
    """After its limit, with a sentence."""
    monkeypatch.setenv("STANDIN_FAULT", "aoe:hang")
    monkeypatch.setattr(aoe, "LIMIT_S", 1.0)
    with pytest.raises(TimedOut, match="aoe was ended after 1 s"):
        aoe.build(case, job)

    assert {} == made(folder)


def test_what_is_compiled_beside_it_stays_untuned(case, job, folder):
    """The bank of a search is not the user's, and plain compilations do not see it."""
    tuned = aoe.build(case, job)
    plain = atc.build(replace(case, soc=find("Ascend310P3")), job)

    assert [True, False] == [header(om)["tuned"] for om in (tuned, plain)]
    assert not (folder / "home" / ".ascend_bank").exists()


def test_the_device_that_is_held_is_the_one_that_searches(case, job, monkeypatch):
    """The second chip of a mixed board."""
    monkeypatch.setenv("STANDIN_SOC", "Ascend310,Ascend310P3")
    om = aoe.build(replace(case, card=replace(case.card, aoe=Aoe((2,)))), replace(job, device=1))

    assert "Ascend310P3" == header(om)["soc"]


def test_a_machine_without_the_tuner_says_where_it_is(folder, monkeypatch):
    """With the toolkit."""
    monkeypatch.setenv("PATH", str(folder))
    assert aoe.missing() == "aoe is not on PATH; CANN's set_env.sh puts it there, with the toolkit"

    monkeypatch.setenv("PATH", str(STANDINS / "bin"))
    assert aoe.missing() is None

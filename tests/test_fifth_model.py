"""A model in a folder outside the repository: CONTRIBUTING's walk-through, word for word."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import torch  # noqa: F401  here, since pytester forgets what a test imports, and torch cannot be imported twice

from roadworthy import record
from roadworthy.__main__ import main

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def section() -> str:
    """What CONTRIBUTING says about a fifth model."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return text.split("## A fifth model\n")[1].split("\n## ")[0]


@pytest.fixture
def zoo(section, tmp_path) -> Path:
    """The two files, written as the section says."""
    card, net = (re.search(rf"```{kind}\n(.*?)```", section, re.DOTALL)[1] for kind in ("toml", "python"))
    folder = tmp_path / "zoo" / "dotnet"
    folder.mkdir(parents=True)
    (folder / "card.toml").write_text(card, encoding="utf-8")
    (folder / "net.py").write_text(net, encoding="utf-8")
    return folder.parent


@pytest.fixture
def suite(pytester, zoo):
    """Runs the project's acceptance suite in a folder of its own, the new model named."""
    shutil.copytree(ROOT / "acceptance", pytester.path / "acceptance")
    pytester.makeini("[pytest]\naddopts = --import-mode=importlib\nfilterwarnings = error\n")
    common = ["-p", "roadworthy.plugin", "acceptance", "--models", str(zoo), "-k", "dotnet", "--out", "out"]
    return lambda *options: pytester.runpytest_subprocess(*common, *options)


def test_it_gets_tests_and_records(suite, pytester):
    """Parity and batch invariance are judged on drawn frames; accuracy and memory say why they are not."""
    result = suite("--update-records")

    assert {"passed": 2, "skipped": 6} == {k: v for k, v in result.parseoutcomes().items() if k != "deselected"}
    assert 0 == result.ret
    result.stdout.fnmatch_lines(
        [
            "weights of dotnet: untrained, made from the parameters' names (--weights takes dotnet.pth)",
            "dotnet-bs1-cpu  accuracy unjudged: *not trained; --weights takes dotnet.pth",
            "dotnet-bs1-cpu  parity passed: *",
            "dotnet-bs4-cpu  batch invariance passed: *",
            "dotnet-bs4-cpu  memory unjudged: observed fits at 64x128; *the card's input is 512x1024",
        ]
    )
    rows = record.read(pytester.path / "reports" / "records" / "dotnet.jsonl")
    assert {("sample", "sample-v1/5@64x128", True)} == {(r.source, r.data, r.untrained) for r in rows}


def test_its_published_figures_are_judged(suite):
    """Accuracy and the ratio pass; an out of memory that the card does not expect fails, as the section says."""
    result = suite("--published")

    assert 1 == result.ret
    result.stdout.fnmatch_lines(
        [
            "dotnet-bs1-Ascend310P3 *accuracy passed: observed mIoU 0.601000, *",
            "dotnet-bs4-Ascend310 *memory failed: observed out of memory, *not in target.oom of card.toml",
            "dotnet-Ascend310P3-vs-Ascend310 *passed: observed 1.500 x Ascend310, *",
        ]
    )


def test_it_has_a_table(zoo, capsys):
    """Also without a layout of its own."""
    status = main(["tables", "dotnet", "--models", str(zoo)])
    printed = capsys.readouterr().out

    assert 0 == status
    assert re.search(r"\| 4 +\| out of memory¹ +\| \*\*150\*\* +\|", printed), printed
    assert re.search(r"\| best +\| 100 +\| 150 +\| 1.500 +\|", printed), printed


def test_every_command_of_the_section_is_run_here(section):
    """What a reader is told to type stands in this file, but for the benchmark, which bench/ runs for every model."""
    told = re.findall(r"^(pytest|roadworthy) (\S+)", section, re.MULTILINE)

    assert [("pytest", "acceptance"), ("pytest", "acceptance"), ("roadworthy", "tables"), ("pytest", "bench")] == told

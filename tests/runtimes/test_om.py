"""What both ways of running an OM share: where the tools lie, and which of them only play one."""

from __future__ import annotations

from pathlib import Path

import pytest

from roadworthy.runtimes import om

STANDINS = Path(__file__).parents[1] / "standins"
PLACES = {name: STANDINS / "bin" / name for name in ("atc", "aoe", "npu-smi")}
AIS_BENCH = {
    "a": {om.VARIABLE: STANDINS / "a" / "ais_infer.py"},
    "b": {"ais_bench": STANDINS / "b" / "ais_bench" / "__init__.py"},
}


@pytest.mark.parametrize("tools", ["a", "b"], indirect=True)
def test_tools_that_play_one_are_told(tools):
    """By their places, each with a mark."""
    found = {name: str(path) for name, path in {**PLACES, **AIS_BENCH[tools]}.items()}

    assert {name: f"{path} (a stand-in for tests)" for name, path in found.items()} == om.tools()
    assert list(found.values()) == om.standins()


def test_a_tool_that_plays_none_has_no_mark(tools, tmp_path, monkeypatch):  # noqa: ARG001  the others are stand-ins
    """One that comes first on the path, too; what is missing is left out."""
    atc = tmp_path / "toolkit" / "bin" / "atc"
    atc.parent.mkdir(parents=True)
    atc.write_text("#!/bin/sh\n", encoding="utf-8")
    atc.chmod(0o755)
    monkeypatch.setenv("PATH", str(atc.parent))

    assert {"atc": str(atc)} == {name: path for name, path in om.tools().items() if name != "ais_bench"}
    assert [om.tools()["ais_bench"].removesuffix(" (a stand-in for tests)")] == om.standins()

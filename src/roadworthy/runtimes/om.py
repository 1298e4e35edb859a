"""An OM, compiled or tuned: what both ways of running one share."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from roadworthy.runtimes import Job, aoe, atc, cann, devices

if TYPE_CHECKING:
    from roadworthy.case import Case
    from roadworthy.soc import Soc

VARIABLE = "ROADWORTHY_AIS_BENCH"  # a Python that has ais_bench, or the path of ais_infer.py
PLAIN = re.compile(r"[A-Za-z0-9_./-]+")  # of a path that every version takes
MARK = b"roadworthy stand-in"  # in the first lines of tools that are stand-ins for tests


def missing(soc: Soc) -> str | None:
    """Why this machine cannot compile for the chip, or does not have it, or None."""
    if soc.vendor != "huawei":
        return f"ais_bench runs Ascend chips, not {soc.name}"
    if named := chosen():
        os.environ[VARIABLE] = named  # a case has a folder of its own, where a relative path is another
    folder = str(Path(tempfile.gettempdir()).resolve())
    if not PLAIN.fullmatch(folder):
        return f"TMPDIR is {folder}, and newer ais_bench takes letters, digits and _ - / . in a path; name another"
    return atc.missing() or (aoe.missing() if soc.tuned else None) or devices.refused(soc)


def build(case: Case, job: Job) -> Path:
    """The OM of the case, compiled, or tuned for a tuned variant."""
    return aoe.build(case, job) if case.soc.tuned else atc.build(case, job)


def commands(artifact: Path) -> str:
    """The commands that made an OM."""
    return artifact.with_name(atc.COMMANDS).read_text(encoding="utf-8").strip()


def plan(case: Case, onnx: str, output: str) -> list[list[str]]:
    """The commands that make an OM."""
    if case.soc.tuned:
        return [aoe.arguments(case, onnx, output, job_type) for job_type in case.card.aoe.job_types]
    return [atc.arguments(case, onnx, output)]


def standins() -> list[str]:
    """The tools here that are stand-ins for tests: they say so in their first lines."""
    return [path for path in _paths().values() if _says_so(Path(path))]


def chosen() -> str | None:
    """The absolute path that ROADWORTHY_AIS_BENCH names; a link stays one, since a virtual environment's Python is one."""
    named = os.environ.get(VARIABLE)
    return str(Path(shutil.which(named) or named).absolute()) if named else None


def tools() -> dict[str, str]:
    """Where the tools of CANN are and what they are, those that are missing left out."""
    here = {name: path + " (a stand-in for tests)" * _says_so(Path(path)) for name, path in _paths().items()}
    return {**here, **{key: value for key, value in cann.find_cann().items() if key == "cann"}}


def _paths() -> dict[str, str]:
    """The tools that are here, by name."""
    found = {name: shutil.which(name) for name in ("atc", "aoe", "npu-smi", "ais_infer.py")}
    spec = importlib.util.find_spec("ais_bench")
    found |= {"ais_bench": spec.origin if spec else None, VARIABLE: chosen()}
    return {name: path for name, path in found.items() if path}


def _says_so(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return MARK in file.read(500)
    except OSError:
        return False

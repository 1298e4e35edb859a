"""Who may import whom (CONTRIBUTING, "Where things live"): down only, never sideways."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENGINE = ROOT / "src" / "roadworthy"
LAYERS = [
    {"__init__"},
    {"problem"},
    {  # nouns: standard library only
        *("schema", "fingerprint", "lookup", "row", "record", "soc", "published", "layout", "card", "profile", "case"),
        *("selection", "target", "recipe", "figure", "claim", "words", "origin", "guide", "classes", "bound"),
        *("markdown", "prose"),
    },
    {"network", "cache", "whole"},  # what several share: checkpoint -> torch module; things made once; files, whole
    {"data", "convert", "runtimes", "score", "measure", "worker", "lease"},  # steps
    {"gates", "standard", "notes", "page", "merge", "printed"},  # readers: nouns, never a step
    {"standing", "sheet", "trained", "ci", "lint", "zoo", "sources"},  # readers of what the other readers say
    {"judged"},  # records -> the verdicts that the suites give on them
    {"tables"},  # figures and verdicts -> Markdown
    {"report"},  # what all readers say, as a page
    {  # the order of steps
        *("pipeline", "train", "evidence", "material", "workshop", "run", "plan", "header", "results", "demo"),
        *("rehearsal", "manual", "deliver", "frames", "evaluations"),
    },
    {"terminal", "scoreboard"},  # the rim to a terminal
    {"reporter"},
    {"training"},  # the rim of one verb
    {"verbs"},  # the rim of all
    {"plugin", "__main__"},  # the rim
]
NOUNS = LAYERS[1] | LAYERS[2]
STEPS = LAYERS[4]
READERS = LAYERS[5] | LAYERS[6] | LAYERS[7] | LAYERS[8] | LAYERS[9]
ORDER = LAYERS[10]
ONLY_IN = {
    "pytest": {"plugin.py"},
    "pandas": {"tables.py"},
    "torch": {"network.py", "convert/export.py", "runtimes/eager.py", "runtimes/tensorrt.py", "train"},
    "onnx": {"convert/surgery.py", "convert/ledger.py", "convert/outputs.py"},
    "onnxslim": {"convert/surgery.py"},
    "onnxruntime": {"runtimes/onnxruntime.py"},
    "tensorrt": {"runtimes/tensorrt.py"},
    "ais_bench": {"runtimes/ascend.py"},
    "subprocess": {"runtimes/command.py", "runtimes/ask.py", "training.py"},
    "rich": {"terminal.py", "scoreboard.py"},
    "jinja2": {"manual.py", "report/render.py"},
    "markupsafe": {"report/render.py"},
    "matplotlib": {"train/curves.py", "report/charts.py"},
}
FILES = sorted(path for path in ENGINE.rglob("*.py") if "models" not in path.relative_to(ENGINE).parts)


def imports(path: Path) -> set[str]:
    """Dotted names that a file imports, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides what it imports"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room(path: Path) -> str:
    """The module of the engine that a file is, or the package that it is in."""
    return "__main__" if path.name == "__main__.py" else path.relative_to(ENGINE).parts[0].removesuffix(".py")


def engine_rooms(path: Path) -> set[str]:
    """The rooms of the engine that a file imports, its own left out."""
    inside = {name.split(".")[1] for name in imports(path) if name.startswith("roadworthy.")}
    return {name if name in set().union(*LAYERS) else "__init__" for name in inside} - {room(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ENGINE)))
def test_traffic_goes_down_only(path):
    """A module imports rooms of lower layers; nouns and the order of steps may also use their own layer."""
    layer = next(i for i, rooms in enumerate(LAYERS) if room(path) in rooms)
    allowed = set().union(*LAYERS[:layer])
    if room(path) in NOUNS or room(path) in ORDER:
        allowed |= LAYERS[layer]
    if room(path) in READERS:
        allowed -= STEPS | {"network"}

    assert set() == engine_rooms(path) - allowed


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ENGINE)))
def test_third_parties_are_met_in_one_file(path):
    """pytest, pandas, torch, onnx and vendors' packages are imported only where the design says."""
    met = {name.split(".")[0] for name in imports(path)}
    here = {str(path.relative_to(ENGINE)), room(path)}  # a file, or a room all of whose files may

    assert [] == [package for package, files in ONLY_IN.items() if package in met and not here & files]


@pytest.mark.parametrize("name", sorted(NOUNS))
def test_nouns_need_the_standard_library_only(name):
    """A noun imports no third party (tomli stands in for tomllib below Python 3.11)."""
    met = {found.split(".")[0] for found in imports(ENGINE / f"{name}.py")}

    assert set() == met - sys.stdlib_module_names - {"roadworthy", "tomli"}


def test_every_module_has_a_layer():
    """A new room must be given a layer."""
    assert set() == {room(path) for path in FILES} - set().union(*LAYERS)


@pytest.mark.parametrize("suite", ["bench", "acceptance", "reports"])
def test_suites_never_import_each_other(suite):
    """Suites import the engine, and meet only in records."""
    met = {name.split(".")[0] for path in (ROOT / suite).glob("*.py") for name in imports(path)}

    assert set() == met & {"bench", "acceptance", "reports", "tests", "models"}


def test_no_file_is_named_after_nothing():
    """Nothing is called utils, common, core, helpers or base."""
    assert set() == {path.stem for path in FILES} & {"utils", "common", "core", "helpers", "base"}


def test_collecting_the_acceptance_suite_imports_nothing_heavy():
    """An installed plugin costs other people's pytest runs nothing, and `--collect-only` is quick."""
    command = [sys.executable, "-X", "importtime", "-m", "pytest", "acceptance", "--collect-only", "-q"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}

    assert "test_accuracy[erfnet-bs1-cpu]" in done.stdout
    assert "roadworthy" in loaded
    assert set() == loaded & {"torch", "onnx", "onnxruntime", "numpy", "pandas", "numba", "PIL"}

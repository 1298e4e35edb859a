"""The workflows of docs/ci: they parse, do the same, and every command in them is one that is there."""

from __future__ import annotations

import itertools
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "ci"
GITHUB = (FOLDER / "github.yml").read_text(encoding="utf-8")
JENKINS = (FOLDER / "Jenkinsfile").read_text(encoding="utf-8")
PYTHON = ".venv/bin/python"


def workflow() -> dict[str, Any]:
    """The job of the GitHub workflow."""
    (job,) = yaml.safe_load(GITHUB)["jobs"].values()
    return job


def commands(scripts: list[str]) -> list[str]:
    """The lines of shell scripts."""
    return [line.strip() for script in scripts for line in script.splitlines() if line.strip()]


STEPS = commands([step["run"] for step in workflow()["steps"] if "run" in step])


def options(command: str) -> dict[str, str]:
    """The flags of a command with what follows them."""
    words = shlex.split(command)
    return dict(itertools.pairwise(words))


def report() -> str:
    """The page that is made of the records."""
    (command,) = [line for line in STEPS if " report " in line]
    return options(command)["report"]


def test_the_workflow_is_one_that_github_reads():
    """Every step runs something or uses an action of a version; it starts on a push, and is ended some day."""
    found, job = yaml.safe_load(GITHUB), workflow()
    used = [step["uses"] for step in job["steps"] if "uses" in step]

    assert ["push", "pull_request"] == list(found[True])  # YAML's word for `on`
    assert all(("run" in step) != ("uses" in step) for step in job["steps"])
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", name) for name in used), used
    assert {"contents": "read"} == found["permissions"]
    assert 0 < job["timeout-minutes"] <= 60


def test_both_workflows_take_the_same_steps():
    """Line for line."""
    assert STEPS == commands(re.findall(r"sh '''(.*?)'''", JENKINS, re.DOTALL))
    assert 6 == len(STEPS)


def test_the_shell_reads_the_steps():
    """Quotes and brackets are closed."""
    subprocess.run(["bash", "-n"], input="\n".join(STEPS), text=True, check=True)  # noqa: S607


def test_the_environment_is_made_anew(tmp_path):
    """The command that is there makes it, and again where one is left."""
    (command,) = [line for line in STEPS if " venv " in line]
    for _ in range(2):
        subprocess.run([*shlex.split(command), "--without-pip"], cwd=tmp_path, check=True)

    assert (tmp_path / PYTHON).exists()


def test_what_is_installed_is_this_project():
    """With what a run needs, and nothing that only its developers need."""
    assert f"{PYTHON} -m pip install -e ." in STEPS


@pytest.mark.parametrize("command", [line for line in STEPS if line.startswith(f"{PYTHON} -m pytest")])
def test_the_suite_takes_the_flags(command, tmp_path):
    """It finds the cases that it is to judge; a flag that is gone, or a chip, would end it."""
    words = [sys.executable, *shlex.split(command)[1:], "--collect-only", "-q", "-p", "no:cacheprovider"]
    places = ["--out", tmp_path / "records", "--junitxml", tmp_path / "junit.xml"]
    done = subprocess.run([*words, *places], cwd=ROOT, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stdout + done.stderr
    assert "test_accuracy[erfnet-bs1-cpu]" in done.stdout
    assert "icnet" not in done.stdout


def test_pages_that_have_drifted_fail(tmp_path):
    """The command passes on the pages as they are, and fails on one with another figure."""
    (command,) = [line for line in STEPS if " tables " in line]
    shutil.copytree(ROOT / "reports", tmp_path / "reports", ignore=shutil.ignore_patterns("__pycache__"))
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    ended = []
    for text in (page, page.replace("381.95", "999.95")):
        (tmp_path / "README.md").write_text(text, encoding="utf-8")
        words = [sys.executable, *shlex.split(command)[1:]]
        ended.append(subprocess.run(words, cwd=tmp_path, capture_output=True, check=False).returncode)

    assert [0, 1] == ended


def test_the_report_is_of_what_the_suite_writes(tmp_path):
    """The command makes a page of the records that the suite left."""
    given = options(next(line for line in STEPS if " pytest " in line))
    (command,) = [line for line in STEPS if " report " in line]
    shutil.copytree(ROOT / "reports" / "records", tmp_path / given["--out"])
    subprocess.run([sys.executable, *shlex.split(command)[1:]], cwd=tmp_path, check=True)

    assert (tmp_path / report()).read_text(encoding="utf-8").startswith("<!doctype html>")


def test_what_is_written_is_kept_and_cleared_first():
    """JUnit's XML, the records and their report, also of a run that failed; none of an older build."""
    given = options(next(line for line in STEPS if " pytest " in line))
    uploads = [step for step in workflow()["steps"] if "upload-artifact" in step.get("uses", "")]
    written = {given["--out"], given["--junitxml"], report()}

    assert written == {step["with"]["path"] for step in uploads}
    assert {"${{ !cancelled() }}"} == {step["if"] for step in uploads}
    assert f"junit testResults: '{given['--junitxml']}'" in JENKINS
    assert f"archiveArtifacts artifacts: '{given['--out']}/**, {report()}'" in JENKINS
    assert written == set(STEPS[0].removeprefix("rm -rf ").split())


def test_the_cache_is_the_one_that_is_kept():
    """What the variable names is what the service keeps; in Jenkins it lies in the workspace."""
    (cache,) = [step["with"] for step in workflow()["steps"] if "actions/cache" in step.get("uses", "")]

    assert cache["path"] == workflow()["env"]["ROADWORTHY_CACHE"]
    assert 'ROADWORTHY_CACHE = "${env.WORKSPACE}/.roadworthy-cache"' in JENKINS


def test_no_host_is_named():
    """Where packages come from is the runner's business."""
    assert [] == re.findall(r"\S*://\S*|[\w-]+\.(?:com|org|io|cn|net|dev)\b|--index-url", GITHUB + JENKINS)

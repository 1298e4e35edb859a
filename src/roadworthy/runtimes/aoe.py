"""The Ascend tuner: hours of search for a faster OM, made once for the same content, subgraphs first, then operators."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from roadworthy import cache
from roadworthy.case import Case
from roadworthy.problem import CaseFailed
from roadworthy.runtimes import Job, atc, command, failure

LIMIT_S = 72 * 3600.0
SUCCESS = "Aoe process finished"  # its exit status tells nothing
BANK = "bank"


def arguments(case: Case, onnx: str, output: str, job_type: int) -> list[str]:
    """The command that tunes `onnx` into `<output>.om`; the chip is the board's own."""
    return ["aoe", *atc.of_graph(case, onnx, output), f"--job_type={job_type}"]


def missing() -> str | None:
    """Why this machine cannot tune, or None."""
    return None if shutil.which("aoe") else "aoe is not on PATH; CANN's set_env.sh puts it there, with the toolkit"


def build(case: Case, job: Job) -> Path:
    """The tuned OM of the case; every finished job type is kept, so that a later failure does not cost its hours.

    Each works on a bank of its own that begins as a copy of the one before, and goes on with it after an interruption:
    what is compiled without tuning never sees it. Raises CaseFailed with the log's path, TimedOut.
    """
    folder, recipe = None, []
    for job_type in case.card.aoe.job_types:
        recipe.append(arguments(case, atc.ONNX, atc.OM, job_type))
        folder = _tuned(case, job, job_type, list(recipe), folder)
    assert folder is not None
    return folder / atc.OM


def _tuned(case: Case, job: Job, job_type: int, recipe: list[list[str]], before: Path | None) -> Path:
    name = atc.named(case, job, recipe, f"aoe{job_type}")
    bank = cache.folder() / "om" / f"{name}.bank"  # not in the folder that an interruption costs: hours are in it

    def make(folder: Path) -> None:
        atc.place(job.onnx, folder / atc.ONNX)
        if before is not None and not bank.is_dir():
            shutil.copytree(before / BANK, bank)
        bank.mkdir(exist_ok=True)
        words = arguments(case, atc.ONNX, Path(atc.OM).stem, job_type)
        log = job.logs / f"{case.id}-aoe{job_type}.log"
        own = {atc.BANK_VARIABLE: str(bank), "ASCEND_DEVICE_ID": str(job.device)}
        done = command.run(words, folder=folder, log=log, limit_s=LIMIT_S, environment=own)
        if SUCCESS not in done.stdout:
            failed = failure.aoe_errors(done.text, done.status, str(done.log))
            raise type(failed)(f"{case.id}: aoe: {failed}", [f"$ {done.shown}", *failed.evidence])
        _take(folder, case, log)
        shutil.copytree(bank, folder / BANK)
        earlier = (before / atc.COMMANDS).read_text(encoding="utf-8").splitlines() if before else []
        atc.finish(folder, [*earlier, done.shown])

    made = cache.made("om", name, make)
    shutil.rmtree(bank, ignore_errors=True)
    return made


def _take(folder: Path, case: Case, log: Path) -> None:
    """Put the OM where it is expected: with --output it is there, else in the tool's workspace."""
    if (folder / atc.OM).is_file():
        return
    found = sorted(folder.glob("aoe_workspace/*/tunespace/result/*_tune.om"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise CaseFailed(f"{case.id}: aoe finished and left no OM, nor one in aoe_workspace; its log is {log}")
    os.replace(found[-1], folder / atc.OM)  # noqa: PTH105  over whatever lies there

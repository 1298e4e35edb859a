"""The Ascend compiler: ONNX -> OM, made once for the same content. Source: the guides' atc lines, CANN's manual."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from roadworthy import cache, fingerprint
from roadworthy.case import Case
from roadworthy.problem import Problem
from roadworthy.runtimes import Job, cann, command, failure

LIMIT_S = 2 * 3600.0
SUCCESS = "ATC run success"
ONNX, OM = "model.onnx", "model.om"  # names that no tool refuses, whatever the model is called
BANK_VARIABLE = "TUNE_BANK_PATH"
COMMANDS = "commands.txt"
READABLE = 0o640  # newer ais_bench refuses a model that others may write


def arguments(case: Case, onnx: str, output: str) -> list[str]:
    """The command that compiles `onnx` to `<output>.om` for the case's chip and batch size."""
    return [
        "atc",
        *of_graph(case, onnx, output),
        f"--soc_version={case.soc.atc_name}",
        f"--log={case.card.atc.log}",
    ]


def of_graph(case: Case, onnx: str, output: str) -> list[str]:
    """What atc and aoe are told alike: all axes fixed, the outputs by the names that export gives their nodes."""
    card = case.card
    types = {"output_type": card.atc.output_type, "precision_mode": card.atc.precision_mode, **card.atc.options}
    shape = ",".join(map(str, (case.batch, *card.input.shape)))
    nodes = [f"--out_nodes={';'.join(f'{name}:0' for name in card.kept_outputs)}"] if card.output.count > 1 else []
    return [
        "--framework=5",
        f"--model={onnx}",
        f"--output={output}",
        "--input_format=NCHW",
        f"--input_shape={card.input.name}:{shape}",
        *nodes,
        *(f"--{name}={value}" for name, value in types.items() if value),
    ]


def missing() -> str | None:
    """Why this machine cannot compile, or None."""
    if shutil.which("atc"):
        return None
    return "atc is not on PATH; CANN's set_env.sh puts it there (source /usr/local/Ascend/ascend-toolkit/set_env.sh)"


def build(case: Case, job: Job) -> Path:
    """The OM of the case, from the cache where the same graph was compiled for the same chip by the same tools.

    Raises CaseFailed with the log's path, Unsupported where the compiler lacks an operator, TimedOut.
    """

    def make(folder: Path) -> None:
        place(job.onnx, folder / ONNX)
        (folder / "bank").mkdir()  # of tuning: the user's own would make an untuned model a tuned one
        words = arguments(case, ONNX, Path(OM).stem)
        done = command.run(
            words,
            folder=folder,
            log=job.logs / f"{case.id}-atc.log",
            limit_s=LIMIT_S,
            environment={BANK_VARIABLE: str(folder / "bank")},
        )
        if done.status != 0 or SUCCESS not in done.stdout or not (folder / OM).is_file():
            failed = failure.atc_errors(done.text, done.status, str(done.log))
            raise type(failed)(f"{case.id}: {failed}", [f"$ {done.shown}", *failed.evidence])
        finish(folder, [done.shown])

    return cache.made("om", named(case, job, [arguments(case, ONNX, OM)], "compiled"), make) / OM


def named(case: Case, job: Job, recipe: list[list[str]], how: str) -> str:
    """The name of an OM in the cache, which says its content: recipe, graph, chip, compiler and CANN."""
    key = fingerprint.of_value([recipe, fingerprint.of_file(job.onnx), case.soc.atc_name, version()])
    return f"{case.card.key}-bs{case.batch}-{case.soc.atc_name}-{how}-{key}"


def version() -> dict[str, str]:
    """What an OM depends on besides its graph: CANN's version, and the compiler itself."""
    tool = shutil.which("atc")
    if tool is None:
        raise Problem(missing() or "")
    found = cann.find_cann()
    return {"cann": found.get("cann", ""), "atc": fingerprint.of_file(Path(tool).resolve())}


def place(source: Path, target: Path) -> None:
    """The file under another name: a hard link, or a copy where that cannot be. Soft links are refused by tools."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
        target.chmod(READABLE)


def finish(folder: Path, commands: list[str]) -> None:
    """Leave the OM and the commands that made it in a folder."""
    (folder / ONNX).unlink(missing_ok=True)
    (folder / OM).chmod(READABLE)
    (folder / COMMANDS).write_text("\n".join(commands) + "\n", encoding="utf-8")

"""The compiler: flags checked in ATC's order and refused with its codes, an OM written."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from standin import knobs, native
from standin.graph import RefusalError, build, invalid, shapes_of

SOCS = (
    "Ascend310",
    *(f"Ascend310P{n}" for n in (1, 3, 5, 7)),
    *(f"Ascend310B{n}" for n in (1, 2, 3, 4)),
    *("Ascend910A", "Ascend910ProA", "Ascend910ProB", "Ascend910PremiumA"),
    *(f"Ascend910B{n}" for n in (1, 2, 3, 4)),
)
LEGAL = {
    "framework": ("0", "1", "3", "5"),
    "input_format": ("NCHW", "ND", "NCDHW"),
    "soc_version": SOCS,
    "enable_small_channel": ("0", "1"),
    "precision_mode": (
        *("force_fp16", "allow_fp32_to_fp16", "allow_mix_precision", "must_keep_origin_dtype", "force_fp32"),
        *("cube_fp16in_fp32out", "allow_mix_precision_fp16", "allow_mix_precision_bf16"),
    ),
}
LOGS = ("debug", "info", "warning", "error", "null")
REQUIRED = ("model", "output", "soc_version")
FREE = ("input_shape", "out_nodes", "output_type", "precision_mode_v2", "op_select_implmode", "log", "model", "output")
UNSUPPORTED = ("insert_op_conf", "dynamic_batch_size", "dynamic_image_size", "dynamic_dims")  # by the stand-in
TEXTS = {
    "E10001": "Value [x] for parameter [--x] is invalid. Reason: asked for by a test",
    "E10016": "Opname [x] of parameter [--input_shape] is not in the model",
    "E19010": "No parser is registered for Op [x, optype [ai.onnx::11::X]]",
    "EC0010": "Failed to import Python module [ModuleNotFoundError: No module named 'decorator'.]",
    "EZ3002": "Optype [X] of Ops kernel [AIcoreEngine] is unsupported. Reason: The op is not in the library",
}
FAILED = "ATC run failed, Please check the detail log, Try 'atc --help' for more information"
FAILURE = 255


def main(arguments: list[str]) -> int:
    """Compile; returns the exit status."""
    if "--help" in arguments:
        return put("usage: atc <args>")
    put("ATC start working now, please wait for a moment.")
    try:
        flags = parse(arguments)
        check(flags)
        strike(flags)
        build(flags, flags["soc_version"], tuned=bank_is_tuned()).write(Path(flags["output"] + ".om"))
    except RefusalError as error:
        return refuse(error)
    Path("fusion_result.json").write_text("[]\n", encoding="utf-8")
    Path("kernel_meta").mkdir(exist_ok=True)
    put("ATC run success, welcome to the next use.")
    if flags.get("log") in LOGS[:3]:
        put(f"W11001: {native.stamp()} Operators miss the high priority kernel, performance may be lower.")
    return 0


def put(line: str) -> int:
    """A line on stdout."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
    return 0


def parse(arguments: list[str]) -> dict[str, str]:
    """`--flag=value` by flag."""
    flags = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        flag = name.removeprefix("--")
        if not equals or not name.startswith("--") or flag not in (*LEGAL, *FREE, *UNSUPPORTED, "job_type"):
            raise RefusalError(
                "E10001",
                f"Value [{argument}] for parameter [command line] is invalid. Reason: it is no --flag=value of ATC",
            )
        flags[flag] = value
    return flags


def check(flags: dict[str, str], required: tuple[str, ...] = REQUIRED) -> None:
    """Refuse what ATC would refuse without reading the model."""
    if "framework" not in flags:
        raise RefusalError("E10007", "Parameter [--framework] is required")
    for flag in required:
        if flag not in flags:
            raise RefusalError("E10054", f"The required parameter [--{flag}] is not given")
    for flag, value in flags.items():
        if not value:
            raise RefusalError("E10004", f"Value of parameter [--{flag}] is empty")
        if flag in UNSUPPORTED:
            raise invalid(value, f"--{flag}", "the stand-in has no such models")
        if value not in LEGAL.get(flag, (value,)):
            raise invalid(value, f"--{flag}", f"legal are {', '.join(LEGAL[flag])}")
    if flags.get("log", "null") not in LOGS:
        raise RefusalError("E10010", f"Log level [{flags['log']}] is none of {', '.join(LOGS)}")
    if {"precision_mode", "precision_mode_v2"} <= flags.keys():
        raise invalid(flags["precision_mode_v2"], "--precision_mode_v2", "--precision_mode is given too")
    check_paths(flags)


def check_paths(flags: dict[str, str]) -> None:
    """A model must be there, and a folder for what is made of it."""
    if not Path(flags["model"]).is_file():
        raise invalid(flags["model"], "--model", "there is no such file")
    output = flags.get("output", "x")
    if output.endswith("/"):
        raise RefusalError("E10022", f"Parameter [--output] is [{output}], which has no file name")
    if not Path(output).parent.is_dir():
        raise invalid(output, "--output", "there is no such folder")


def batch_of(flags: dict[str, str]) -> int | None:
    """The batch size that the input shape asks for."""
    return next((dims[0] for dims in shapes_of(flags.get("input_shape", "")).values()), None)


def strike(flags: dict[str, str]) -> None:
    """Fail where a test asks for it."""
    kind = knobs.fault("atc", batch_of(flags))
    if kind is not None:
        raise failure(kind)


def failure(kind: str) -> RefusalError:
    """The refusal with the code that a test asks for, or the inner error for everything else."""
    code = kind if re.fullmatch(r"[A-Z]{1,2}\d{4,5}", kind) else "E19999"
    return RefusalError(code, TEXTS.get(code, "Inner Error!"))


def bank() -> Path:
    """The folder in which tuning leaves its knowledge: user-wide unless told otherwise."""
    return Path(os.environ.get("TUNE_BANK_PATH") or Path.home() / ".ascend_bank")


def bank_is_tuned() -> bool:
    """Whether anybody tuned anything before: it changes what is compiled now."""
    return any(bank().glob("tuned-*.json"))


def refuse(error: RefusalError, headline: str = FAILED) -> int:
    """Say no in ATC's way; returns the exit status."""
    put(headline)
    put(f"{error.code}: {native.stamp()} {error}")
    put("        TraceBack (most recent call last):")
    put("        build graph failed, ge result[1343225857]")
    return FAILURE

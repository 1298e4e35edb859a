"""The command line of each generation; argparse says no with exit 2."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from standin import paths
from standin.generation import Generation

SWITCHES = ("--debug", "--profiler", "--dump", "--display_all_summary")
SWITCHES_BC = ("--auto_set_dymshape_mode", "--auto_set_dymdims_mode")
DYNAMIC = ("--dymBatch", "--dymHW", "--dymDims", "--dymShape", "--dymShape_range", "--outputSize")
ONLY_C = ("--aipp_config", "--energy_consumption", "--npu_id", "--pipeline", "--profiler_rename", "--dump_npy")
LONGEST_LOOP_C = 100_000
LAST_DEVICE = 255


def parse(generation: Generation, argv: list[str]) -> argparse.Namespace:
    """The flags, checked; exits with 2 where they are wrong."""
    strict, first = generation.strict_paths, generation.is_first
    parser = argparse.ArgumentParser(prog="ais_infer.py" if first else "ais_bench", allow_abbrev=False)
    add = parser.add_argument
    add(*(("--model", "--om") if first else ("--model", "-m")), required=True, type=paths.model if strict else str)
    add("--input", "-i", type=paths.inputs if strict else str)
    add("--output", "-o", type=paths.output if strict else str)
    add("--output_dirname", type=paths.dirname if strict else str)
    add("--outfmt", default="BIN", choices=("NPY", "BIN", "TXT"))
    add("--loop", "-r" if first else "-l", default=1, type=between(1, LONGEST_LOOP_C if strict else None))
    add("--batchsize", default=1 if first else None, type=between(1))
    add("--device", "-d", default=[0], type=one_device if first else devices)
    add("--run_mode", default="array", choices=("array", "files", "tensor", "full"))
    add("--pure_data_type", default="zero", choices=("zero", "random"))
    add("--output_batchsize_axis", default=0, type=between(0))
    for flag in DYNAMIC:
        add(flag)
    for flag in SWITCHES:
        if first and flag in ("--profiler", "--dump"):
            add(flag, action="store_true")
        else:
            add(flag, default=False, type=boolean)
    if not first:
        add("--warmup_count", default=1, type=between(0))
        for flag in SWITCHES_BC:
            add(flag, default=False, type=boolean)
    if strict:
        add_those_of_c(parser)
    return parser.parse_args(argv)


def add_those_of_c(parser: argparse.ArgumentParser) -> None:
    """Flags that came last; most change nothing here."""
    for flag in ONLY_C:
        parser.add_argument(flag)
    parser.add_argument("--threads", default=1, type=between(1))
    parser.add_argument("--divide_input", default=False, type=boolean)
    parser.add_argument("--backend", choices=("trtexec",))
    parser.add_argument("--perf", default=False, type=boolean)


def between(least: int, most: int | None = None) -> Callable[[str], int]:
    """A check of a whole number."""

    def number(text: str) -> int:
        value = int(text)
        if value < least or (most is not None and value > most):
            raise argparse.ArgumentTypeError(f"{text}: out of range")
        return value

    return number


def boolean(text: str) -> bool:
    """1, 0, true or false."""
    if text.lower() not in ("1", "0", "true", "false"):
        raise argparse.ArgumentTypeError(f"{text}: neither true, 1, false nor 0")
    return text.lower() in ("1", "true")


def devices(text: str) -> list[int]:
    """`0` or `0,1`."""
    return [between(0, LAST_DEVICE)(part) for part in text.split(",")]


def one_device(text: str) -> list[int]:
    """The one device that the first generation knows."""
    return [between(0, LAST_DEVICE)(text)]

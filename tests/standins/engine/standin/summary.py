"""What a run prints at its end, and its JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

import numpy as np

from standin import console
from standin.generation import Generation
from standin.results import Folder, open_new
from standin.session import Transfers

Stats = dict[str, float]


def stats(values: list[float], *, counted: bool) -> Stats:
    """Minimum to 99th percentile, in ms."""
    array = np.array(values or [0.0])
    figures: Stats = {
        "min": float(array.min()),
        "max": float(array.max()),
        "mean": float(array.mean()),
        "median": float(np.median(array)),
        "percentile(99%)": float(np.percentile(array, 99)),
    }
    return figures | {"count": len(values)} if counted else figures


def line(name: str, figures: Stats) -> str:
    """The figures as they are printed."""
    return f"{name} (ms): " + ", ".join(f"{key} = {value}" for key, value in figures.items() if key != "count")


def report(generation: Generation, args: argparse.Namespace, times: list[Any], folder: Folder | None) -> float:
    """Print, write where there is an output folder, and return the throughput."""
    spans = [end - begin for begin, end in times] if times and isinstance(times[0], tuple) else times
    counted = not generation.is_first
    compute = stats(spans, counted=counted)
    copies = {
        "H2D_latency": stats(Transfers.h2d, counted=counted),
        "D2H_latency": stats(Transfers.d2h, counted=counted),
    }
    mean = compute["mean"]
    throughput = 1000 * args.batchsize / mean if mean else 0
    threads = getattr(args, "threads", 1)
    console.log("INFO", "-----------------Performance Summary------------------")
    if generation.is_first or args.display_all_summary:
        console.log("INFO", line("H2D_latency", copies["H2D_latency"]))
    console.log("INFO", line("NPU_compute_time", {"mean": mean} if threads > 1 else compute))
    if generation.is_first or args.display_all_summary:
        console.log("INFO", line("D2H_latency", copies["D2H_latency"]))
    label = f"1000*{generation.label}({args.batchsize})/NPU_compute_time.mean({mean})"
    console.log("INFO", f"throughput {label}: {throughput}")
    console.log("INFO", "------------------------------------------------------")
    if folder is not None:
        content: dict[str, Any] = {"filesinfo": folder.files, "args": sys.argv, "NPU_compute_time": compute}
        content |= copies | {"throughput": throughput}
        if counted:
            content |= {"npu_compute_time_list": times if threads > 1 else spans, "pid": os.getpid()}
        with open_new(folder.summary, generation.file_mode) as file:
            file.write(json.dumps(content).encode())
    return throughput

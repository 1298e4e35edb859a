"""The tuner: compiles for the chip on the board, and leaves knowledge behind that later compilations use."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

from standin import knobs
from standin.atc import FAILURE, bank, batch_of, check, failure, parse, put, refuse
from standin.graph import RefusalError, build, invalid
from standin.om import Om

JOBS = {"1": "sgat", "2": "opat"}  # subgraphs, operators
FAILED = "Aoe process failed"
TUNED = 0.75


def main(arguments: list[str]) -> int:
    """Tune; returns the exit status. Only `Aoe process finished` says that it went well."""
    if "--help" in arguments:
        return put("usage: aoe <args>")
    put("Start Aoe process")
    try:
        flags = parse(arguments)
        check(flags, ("model", "job_type"))
        if flags["job_type"] not in JOBS:
            raise invalid(flags["job_type"], "--job_type", "legal are 1, 2")
        kind = knobs.fault("aoe", batch_of(flags))
        if kind == "quiet":  # as a fault that leaves the exit status alone
            return 0
        if kind is not None:
            raise failure(kind)
        om = build(flags, chip(), tuned=True)
    except RefusalError as error:
        return refuse(error, FAILED)
    except LookupError as error:
        put(f"{FAILED}: {error}")
        return FAILURE
    leave(flags, om)
    put("Aoe process finished")
    return 0


def chip() -> str:
    """The chip of the device that ASCEND_DEVICE_ID names."""
    device = int(os.environ.get("ASCEND_DEVICE_ID") or 0)
    chips = knobs.board()
    if not 0 <= device < len(chips):
        raise LookupError(f"SetDevice failed. ret=507033, device {device}")
    return chips[device]


def leave(flags: dict[str, str], om: Om) -> None:
    """The tuned OM, the bank's file and the report."""
    stamp, name, job = time.strftime("%Y%m%d%H%M%S"), Path(flags["model"]).stem, JOBS[flags["job_type"]]
    result = Path("aoe_workspace", f"{name}_{stamp}", "tunespace", "result", f"{name}_{stamp}_tune.om")
    result.parent.mkdir(parents=True, exist_ok=True)
    om.write(result)
    if "output" in flags and os.environ.get("STANDIN_AOE_WORKSPACE") != "1":
        shutil.move(result, flags["output"] + ".om")
    bank().mkdir(parents=True, exist_ok=True)
    (bank() / f"tuned-{name}-{job}.json").write_text("{}\n", encoding="utf-8")
    before = (knobs.latency_ms() or 1.0) * om.batch
    report = {
        "model_baseline_performance(ms)": before,
        "model_result_performance(ms)": before * TUNED,
        "model_performance_improvement": f"{(1 / TUNED - 1) * 100:.2f}%",
    }
    path = Path(f"aoe_result_{job}_{stamp}_pid{os.getpid()}.json")
    path.write_text(json.dumps([{"basic": {"tuning_name": name}}, {job.upper(): report}]), encoding="utf-8")

"""What the command line makes of ten thousand records; `pytest bench -k records` prints the seconds."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from roadworthy import card as cards
from roadworthy import record
from roadworthy.record import Record

RECORDS = 10_000
CHIPS = ("Ascend310P3", "Ascend310P3+aoe", "Ascend310", "T4", "cpu")
BATCHES = (1, 4, 8, 16, 32)
METRICS = ("miou", "pooled_miou", "throughput", "latency.median", "agreement.batch")
SPEEDS = ("throughput", "latency.median")  # the others are fractions


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four models on five chips at five batch sizes, measured on twenty days."""
    models = cards.find([cards.builtin_models()])
    rows = [
        Record(
            model=model, soc=soc, batch=batch, metric=metric, value=1.0 + day if metric in SPEEDS else 0.7, source="measured",
            runtime="ascend", clock="device", data="val-1a2b3c4d/500", frames=500, weights="own.pth@0",
            when=f"2026-{1 + day // 2:02}-{1 + day:02}T08:00:00+00:00", environment={"driver": "24.1", "cann": "8.0"},
        )
        for day in range(20)
        for model in models
        for soc in CHIPS
        for batch in BATCHES
        for metric in METRICS
    ]  # fmt: skip
    folder = tmp_path_factory.mktemp("records")
    record.append(folder / "records.jsonl", [replace(row, detail=f"{i}") for i, row in enumerate(rows[:RECORDS])])
    return folder


Timed = Callable[[str, list[str]], None]


@pytest.fixture
def timed(benchmark: Any, capsys: pytest.CaptureFixture[str]) -> Timed:
    """Times a whole command, Python's start included, and prints the seconds under a name."""

    def run(name: str, command: list[str]) -> None:
        benchmark.group = "records"
        benchmark.extra_info.update(records=RECORDS)
        benchmark.pedantic(lambda: subprocess.run(command, check=True, stderr=subprocess.DEVNULL), rounds=3)  # noqa: S603  ours
        if not benchmark.disabled:
            with capsys.disabled():
                print(f"\n{name} of {RECORDS} records: {benchmark.stats.stats.median:.2f} s")  # noqa: T201

    return run


def test_report_of_ten_thousand_records(timed: Timed, benchmark: Any, folder: Path, tmp_path: Path) -> None:
    """One page of four models."""
    out = tmp_path / "report.html"
    timed("report", [sys.executable, "-m", "roadworthy", "report", str(out), "--records", str(folder)])
    benchmark.extra_info.update(megabytes=out.stat().st_size / 1e6)


def test_merge_of_ten_thousand_records(timed: Timed, folder: Path, tmp_path: Path) -> None:
    """All of them twice, as two machines that share a folder leave them."""
    (tmp_path / "other").mkdir()
    shutil.copy(folder / "records.jsonl", tmp_path / "other")
    folders = [str(folder), str(tmp_path / "other")]
    timed("merge", [sys.executable, "-m", "roadworthy", "merge", *folders, "--out", str(tmp_path / "all")])
    assert len((tmp_path / "all" / "records.jsonl").read_text().splitlines()) == RECORDS

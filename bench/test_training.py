"""What training costs: images/s with one process and with two, and whether crops are made faster than they are used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from roadworthy import cache, measure, pipeline
from roadworthy import card as cards
from roadworthy.train import feed, plan
from roadworthy.train.group import CPU, Group, Place
from roadworthy.train.loop import Frames, Loop

FLAGS = ("--crop", "128", "--batch", "4", "--epochs", "1", "--max-steps", "16", "--window", "4", "--validate", "0")
CLOCK = measure.Replay()


@pytest.fixture(scope="module")
def trained() -> dict[int, tuple[dict[str, Any], list[float]]]:
    """The record of a short run by one process and of one by two, each with half of the cores, and seconds of windows."""
    found, folder = {}, cache.run_folder()
    for processes in (1, 2):
        out = folder / f"training-{processes}p"
        words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        words += ["-m", "roadworthy.train", "icnet", *FLAGS, "--workers", "1", "--out", str(out)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(max(1, len(os.sched_getaffinity(0)) // 2))}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  our own
        assert done.returncode == 0, done.stderr
        rows = [json.loads(line) for line in (out / "records.jsonl").read_text(encoding="utf-8").splitlines()]
        row = next(row for row in rows if row["metric"] == "train.throughput")
        windows = np.load(out / row["samples"])["windows"]
        found[processes] = row, [seconds for _, _, seconds, _, warm in windows if warm]
    return found


@pytest.mark.benchmark(timer=CLOCK)
@pytest.mark.parametrize("processes", [1, 2])
def test_training_throughput(
    trained: dict[int, tuple[dict[str, Any], list[float]]],
    processes: int,
    benchmark: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Windows of four steps of ICNet by one process, and by two on as many threads each, by the run's own clock."""
    if benchmark.disabled:
        pytest.skip("--benchmark-disable leaves nothing to compare")
    row, windows = trained[processes]
    seconds, benchmark.group = iter(windows), "training"
    benchmark.pedantic(lambda: CLOCK.advance(next(seconds)), rounds=len(windows))
    share = row["value"] / trained[1][0]["value"] / processes
    benchmark.extra_info.update(
        images_per_second=row["value"], devices=processes, settings=row["settings"], share=share
    )
    with capsys.disabled():
        print(f"\nICNet, crops of 128, {processes}p: {row['value']:.2f} images/s, {share:.2f} of linear")  # noqa: T201


def test_training_data(benchmark: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Decoding and augmenting a batch over a training step of it, and how long steps wait for threads that work ahead."""
    if benchmark.disabled:
        pytest.skip("--benchmark-disable leaves nothing to compare")
    full = cards.find([cards.builtin_models()])["icnet"]
    icnet = full.at_sample_size()
    settled = plan.resolve(
        icnet, full, 1, "cpu", {"batch": 4, "crop": "192", "epochs": 1, "window": 4, "max_steps": 12, "validate": 0}
    )
    dataset = pipeline.open_data("sample", icnet, "train")
    began = time.perf_counter()
    batches = sum(1 for _ in feed.batches(icnet, dataset, settled, workers=1))
    crops = (time.perf_counter() - began) / batches
    loop = Loop(icnet, settled, Frames(dataset, None), Group(CPU, Place(), torch.device("cpu")), tmp_path, None)
    benchmark.group = "training"
    benchmark.pedantic(lambda: loop.train(lambda: False), rounds=1)
    seconds, waited = np.asarray([row[2:4] for row in loop.history.windows if row[4]]).mean(0) / settled.window
    ratio = crops / seconds
    benchmark.extra_info.update(
        what="a batch of 4 made by one thread, over a step", ratio=ratio, waited=waited / seconds
    )
    with capsys.disabled():
        told = f"{1000 * crops:.0f} ms to make a batch of 4 by one thread, {1000 * seconds:.0f} ms a step"
        print(f"\n{told}, ratio {ratio:.2f}; with threads ahead, {waited / seconds:.1%} of a step is waiting")  # noqa: T201

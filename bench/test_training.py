"""What training costs: images/s with one process and with two, and whether crops are made faster than they are used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from roadworthy import card as cards
from roadworthy import pipeline
from roadworthy.card import ModelCard
from roadworthy.train import feed, group, plan
from roadworthy.train.group import CPU, Group, Place
from roadworthy.train.loop import Frames, Loop

FLAGS = ("--crop", "128", "--batch", "4", "--epochs", "1", "--max-steps", "16", "--window", "4", "--validate", "0")


@pytest.fixture(scope="module")
def icnet() -> ModelCard:
    """ICNet's card at the size of drawn frames."""
    return cards.find([cards.builtin_models()])["icnet"].at_sample_size()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    """The records of images/s of a short run by one process, and of one by two, each with half of the cores."""
    found = {}
    for processes in (1, 2):
        out = tmp_path_factory.mktemp("trained") / str(processes)
        words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        words += ["-m", "roadworthy.train", "icnet", *FLAGS, "--workers", "1", "--out", str(out)]
        threads = max(1, len(os.sched_getaffinity(0)) // 2)
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        subprocess.run(words, env=environment, check=True, capture_output=True)  # noqa: S603  our own words
        rows = [json.loads(line) for line in (out / "records.jsonl").read_text(encoding="utf-8").splitlines()]
        found[processes] = next(row for row in rows if row["metric"] == "train.throughput")
    return found


def test_training_scales(
    trained: dict[int, dict[str, Any]], benchmark: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Images/s by two processes over twice those by one, on as many threads each."""
    if benchmark.disabled:
        pytest.skip("--benchmark-disable leaves nothing to compare")
    one, two = (trained[processes]["value"] for processes in (1, 2))
    benchmark.group = "training"
    benchmark.extra_info.update(
        what="ICNet, crops of 128", images_per_second={"1p": one, "2p": two}, share=two / one / 2
    )
    benchmark.pedantic(lambda: None, rounds=1)  # the figures are those of the runs' own clock
    with capsys.disabled():
        print(f"\ntraining: {one:.2f} images/s by one process, {two:.2f} by two: {two / one / 2:.2f} of linear")  # noqa: T201


def test_training_data(icnet: ModelCard, benchmark: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Decoding and augmenting a batch over a training step of it, and how long steps wait where threads work ahead."""
    if benchmark.disabled:
        pytest.skip("--benchmark-disable leaves nothing to compare")
    given = {"batch": 4, "crop": "192", "epochs": 1, "window": 4, "max_steps": 12, "validate": 0}
    full = cards.find([cards.builtin_models()])["icnet"]
    settled = plan.resolve(icnet, full, 1, "cpu", given)
    dataset = pipeline.open_data("sample", icnet, "train")
    made = []
    began = time.perf_counter()
    for _ in feed.batches(icnet, dataset, settled, workers=1):
        made.append(time.perf_counter() - began)
        began = time.perf_counter()
    alone = Group(CPU, Place(), group.torch.device("cpu"))
    loop = Loop(icnet, settled, Frames(dataset, None), alone, tmp_path, None)
    benchmark.group = "training"
    benchmark.pedantic(lambda: loop.train(lambda: False), rounds=1)
    warm = [row for row in loop.history.windows if row[4]]
    steps = len(warm) * settled.window
    step, waited = sum(row[2] for row in warm) / steps, sum(row[3] for row in warm) / steps
    crops = sum(made) / len(made)
    benchmark.extra_info.update(
        what="crops of a batch, by one thread, over a step", ratio=crops / step, waited=waited / step
    )
    with capsys.disabled():
        told = f"{1000 * crops:.0f} ms to make a batch of 4 by one thread, {1000 * step:.0f} ms a step, ratio {crops / step:.2f}"
        print(f"\n{told}; with two threads ahead, steps wait for {waited / step:.1%} of their time")  # noqa: T201

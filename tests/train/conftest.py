"""What the tests of training share: plans of the small model, runs of it, and other small networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from roadworthy import card as cards
from roadworthy.card import ModelCard
from roadworthy.data import cityscapes
from roadworthy.data.cityscapes import Dataset
from roadworthy.train import curves, group
from roadworthy.train import plan as plans
from roadworthy.train.loop import Frames, Loop, Start
from roadworthy.train.plan import Plan

PLAIN = '''
"""One convolution, and whatever stands before it."""

from torch import nn


class Tiny(nn.Module):
    def __init__(self, classes=20):
        super().__init__()
        self.before = {before}
        self.conv = nn.Conv2d(3, classes, 1)

    def forward(self, x):
        return self.conv(self.before(x))
'''


@pytest.fixture(scope="module", autouse=True)  # a folder that is no package has no scope of its own
def _one_thread() -> Iterator[None]:
    """Networks this small are faster by one thread, and on a busy machine many times."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def dataset(tiny_splits: Path) -> Dataset:
    """Twenty frames of 256x128 to train on: the five, four times."""
    five = cityscapes.open_dataset(tiny_splits, "train")
    return replace(five, frames=4 * five.frames)


@pytest.fixture(scope="session")
def plan(tiny_card: ModelCard) -> Plan:
    """Batches of four crops of 32x64, so five steps an epoch; two epochs."""
    return plans.resolve(tiny_card, tiny_card, 1, "cpu", {"crop": "32", "epochs": 2, "batch": 4})


@pytest.fixture
def model(tiny_models: Path, tmp_path: Path) -> Callable[..., ModelCard]:
    """Makes a card beside a network of its own: the tiny one with texts replaced, `before` ahead of its convolution."""

    def make(before: str = "nn.Identity()", name: str = "plain", net: str = PLAIN, **told: str) -> ModelCard:
        folder = tmp_path / "zoo" / name
        folder.mkdir(parents=True)
        text = (tiny_models / "tiny" / "card.toml").read_text(encoding="utf-8")
        for key, value in told.items():
            (line,) = [line for line in text.splitlines() if line.split(" ")[0] == key]
            text = text.replace(line, f"{key} = {value}")
        (folder / "card.toml").write_text(text, encoding="utf-8")
        (folder / "net.py").write_text(net.replace("{before}", before), encoding="utf-8")
        (folder / "train.py").write_bytes((tiny_models / "tiny" / "train.py").read_bytes())
        return cards.load(folder / "card.toml")

    return make


@pytest.fixture
def run(tiny_card: ModelCard, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Loop]:
    """Trains by a plan in one process on the cpu, in a folder below `tmp_path`; gives the loop at its end.

    Curves are drawn where a test wants them: they take ten times as long as the run.
    """
    draw = curves.draw

    def train(
        plan: Plan,
        out: str = "out",
        card: ModelCard | None = None,
        start: Start | None = None,
        frames: Frames | None = None,
        stopping: Callable[[], bool] = lambda: False,
        *,
        pictures: bool = False,
    ) -> Loop:
        monkeypatch.setattr(curves, "draw", draw if pictures else lambda *_: None)
        alone = group.Group(group.CPU, group.Place(), torch.device("cpu"))
        loop = Loop(card or tiny_card, plan, frames or Frames(dataset, None), alone, tmp_path / out, None)
        loop.begin(start or Start())
        loop.train(stopping)
        return loop

    return train

"""A small model and a small data set on which every step runs in milliseconds and nearly every pixel is right."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image

from roadworthy import card as cards
from roadworthy.card import ModelCard

SHARED = Path(__file__).parents[2] / "shared"

TINY_CARD = """
name    = "Tiny"
source  = { url = "https://example.invalid/tiny", commit = "0" }
weights = "tiny.pth"

[net]
build   = "net.Tiny"
classes = 20

[input]
name  = "image"
shape = [3, 64, 128]
steps = ["resize", "scale"]

[output]
kind = "logits"

[export]
opset   = 11
batches = [1, 4, 16]

[[surgery]]
pass  = "floor_bn_weights"
match = ".*bn.*weight"
floor = 0.01

[scoring]
labels  = "labelTrainIds"
compare = "input"
average = "dataset"

[target]
miou  = 90.0
drop  = { relative = 0.01 }
judge = "Ascend310P3"
vs    = { Ascend310 = 1.2 }
oom   = { Ascend310 = [4] }

[sample]
weights = "tiny.safetensors"
data    = "tiny-v1/5"
miou    = 78.31
drop    = { points = 0.1 }

[train]
loss      = "train.loss"
optimizer = "sgd"
schedule  = "cosine"
warmup    = 2
crop      = [64, 128]
precision = "fp16"
best      = "tiny_{epoch}_{miou:.3f}_best_model.pth"
prefix    = "module."

[train.recipe.1p]
devices = 1
batch   = 2
rate    = 0.1
epochs  = 8

[train.recipe.4p]
devices = 4
batch   = 1
rate    = 0.2
epochs  = 12

[published.miou]
batch       = [   1,    4]
Ascend310P3 = [89.5, 89.5]

[published.throughput]
batch       = [    1,    4]
Ascend310   = [100.0, "oom"]
Ascend310P3 = [110.0, 130.0]
"""

TINY_NET = '''
"""Nearest of twenty colours, written as BatchNorm and a 1x1 convolution."""

from torch import nn


class Tiny(nn.Module):
    def __init__(self, classes=20):
        super().__init__()
        self.bn = nn.BatchNorm2d(3)
        self.conv = nn.Conv2d(3, classes, 1)

    def forward(self, x):
        return self.conv(self.bn(x))
'''

TINY_LOSS = '''
"""Cross-entropy of the one output."""


def loss(outputs, entropy):
    (output,) = outputs
    return entropy(output)
'''

PALETTE = np.random.RandomState(5).randint(0, 256, (400, 3))
COLOURS = [PALETTE[0]]  # twenty colours, none nearer than 70 to another
for candidate in PALETTE:
    if len(COLOURS) < 20 and min(np.linalg.norm(candidate - c) for c in COLOURS) > 70:
        COLOURS.append(candidate)
COLOURS = np.array(COLOURS)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Real sizes take minutes: only when they are named."""
    if "realsize" not in config.option.markexpr:
        for item in items:
            if item.get_closest_marker("realsize"):
                item.add_marker(pytest.mark.skip(reason="takes minutes; pytest -m realsize runs it"))


@pytest.fixture(scope="session", autouse=True)
def _own_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing that a test makes enters the user's cache, and no device that a test holds is one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROADWORTHY_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("ROADWORTHY_LEASES", str(tmp_path_factory.mktemp("leases")))
        for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):  # runs within tests are not what a CI shows
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of cards with one model, `tiny`, and its weights."""
    folder = tmp_path_factory.mktemp("models")
    tiny = folder / "tiny"
    tiny.mkdir()
    (tiny / "card.toml").write_text(TINY_CARD, encoding="utf-8")
    (tiny / "net.py").write_text(TINY_NET, encoding="utf-8")
    (tiny / "train.py").write_text(TINY_LOSS, encoding="utf-8")
    colours = (COLOURS / 255).astype(np.float32)
    safetensors.numpy.save_file(
        {
            "bn.weight": np.full(3, 0.5, np.float32),
            "bn.bias": np.zeros(3, np.float32),
            "bn.running_mean": np.zeros(3, np.float32),
            "bn.running_var": np.full(3, 1 - 1e-5, np.float32),
            "conv.weight": (4 * colours).reshape(20, 3, 1, 1),
            "conv.bias": -(colours**2).sum(1) + 1e-4 * np.sqrt(np.arange(20, dtype=np.float32)),  # breaks ties
        },
        tiny / "tiny.safetensors",
    )
    return folder


@pytest.fixture(scope="session")
def tiny_card(tiny_models: Path) -> ModelCard:
    """The card of the model `tiny`."""
    return cards.load(tiny_models / "tiny" / "card.toml")


@pytest.fixture(scope="session")
def tiny_colours() -> np.ndarray:
    """What the model `tiny` takes for its twenty classes: RGB (20, 3)."""
    return COLOURS.astype(np.uint8)


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five frames of 256x128 in two cities: noisy blocks of the colours of their classes, some void-coloured."""
    root = tmp_path_factory.mktemp("tiny")
    rng = np.random.RandomState(3)
    for index in range(5):
        city = "aachen" if index < 2 else "bonn"
        blocks = rng.randint(0, 19, (5, 9))
        label = np.kron(blocks, np.ones((30, 32), int))[3 : 3 + 128, 5 : 5 + 256]
        void = np.kron(rng.rand(9, 17) < 0.05, np.ones((15, 16), bool))[:128, :256]
        shown = np.where(void, 19, label)
        image = np.clip(COLOURS[shown] + rng.normal(0, 40, (128, 256, 3)), 0, 255).astype(np.uint8)
        label[:4] = 255
        stem = f"{city}_{index:06d}_000019"
        for kind, name, array in (
            ("leftImg8bit", f"{stem}_leftImg8bit.png", image),
            ("gtFine", f"{stem}_gtFine_labelTrainIds.png", label.astype(np.uint8)),
        ):
            folder = root / kind / "val" / city
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(folder / name)
    (root / "roadworthy.json").write_text(json.dumps({"name": "tiny-v1"}), encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def tiny_splits(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The five frames twice: to train on and to validate on."""
    root = tmp_path_factory.mktemp("splits") / "tiny"
    shutil.copytree(tiny_data, root)
    for kind in ("leftImg8bit", "gtFine"):
        shutil.copytree(root / kind / "val", root / kind / "train")
    return root


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real frames and golden outputs beside the clone."""
    if not SHARED.is_dir():
        pytest.skip(f"the real frames are absent: there is no {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def cityscapes9(shared: Path) -> Path:
    """Nine real frames of Cityscapes."""
    return shared / "data" / "cityscapes9"

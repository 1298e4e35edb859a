"""A folder of records as rich as a delivery's: chips and dates, accuracy with matrices, kept frames, training."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from roadworthy import card as cards
from roadworthy import record
from roadworthy.card import ModelCard
from roadworthy.record import Record

ENVIRONMENT = {
    "roadworthy": "0.1.0", "python": "3.11.7", "torch": "2.1.0", "onnx": "1.16.0", "onnxruntime": "1.18.0",
    "numpy": "1.26.4", "cann": "8.0.RC3", "cann_home": "/usr/local/Ascend/ascend-toolkit/latest", "driver": "24.1.rc3",
    "firmware": "7.5.0.1.129", "chip": "310P3", "health": "OK",
    "om": "atc --framework=5 --model=erfnet.onnx --output=erfnet --soc_version=Ascend310P3 --output_type=FP16",
}  # fmt: skip
CHIP = Record(
    model="erfnet", soc="Ascend310P3", batch=1, metric="throughput", value=300.0, source="measured", clock="device",
    runtime="ascend", provider="Ascend310P3", weights="erfnet_pretrained.pth@0123456789abcdef",
    when="2026-10-01T08:00:00+00:00", environment=ENVIRONMENT,
)  # fmt: skip
HOST = {
    "roadworthy": "0.1.0",
    "python": "3.11.7",
    "torch": "2.1.0",
    "cpu": "Intel(R) Xeon(R) Processor",
    "threads": "8",
}
DAYS = ("2026-09-01", "2026-09-15", "2026-10-01", "2026-10-20", "2026-11-11")
SPEEDS = {1: 292.0, 4: 240.0, 8: 251.0, 16: 262.0, 32: 271.0, 64: 268.0}


def matrices(seed: int = 0, frames: int = 4, wrong: float = 0.1) -> np.ndarray:
    """Matrices (frames, 19, 20) in which about this share of every class's pixels is taken for another."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 40, (frames, 19, 20))
    counts[:, range(19), range(19)] = (counts.sum(axis=2) * (1 - wrong) / wrong).astype(int)
    return counts


def kept(stems: Iterable[str] = ("frankfurt_000000_000294", "munster_000036_000019")) -> dict[str, np.ndarray]:
    """What `--keep-frames` leaves: photographs, labels and predictions of the worst frames."""
    names = list(stems)
    y, x = np.mgrid[0:256, 0:512]
    sky, road = y < 90, y > 170 - 40 * np.exp(-(((x - 256) / 160) ** 2))
    label = np.where(sky, 10, np.where(road, 0, 2))
    label[150:215, 300:390], label[0:12] = 13, 255
    label[90:170, 60:110] = 8
    guess = np.where(label == 255, 10, label)
    guess[150:215, 345:390], guess[90:130, 60:110], guess[230:] = 14, 2, 19
    shades = np.array([[128, 128, 128], [110, 60, 50], [120, 160, 210], [30, 30, 120], [60, 110, 40]])
    place = np.select([label == 0, label == 10, label == 13, label == 8], [0, 2, 3, 4], 1)
    noise = np.random.default_rng(1).normal(0, 9, (256, 512, 1))
    photograph = np.clip(shades[place] + noise, 0, 255).astype(np.uint8)
    many = len(names)
    return {
        "stems": np.array(names),
        "mious": np.linspace(0.31, 0.52, many),
        "photographs": np.stack([photograph] * many),
        "labels": np.stack([label] * many).astype(np.uint8),
        "predictions": np.stack([guess] * many).astype(np.uint8),
    }


def scored(folder: Path, row: Record, seed: int, wrong: float, **more: object) -> list[Record]:
    """Records of mIoU with their matrices written beside them."""
    name = f"samples/{row.model}-bs{row.batch}-{row.soc}-matrices-{(row.when or '')[:10]}-{row.runtime}.npz"
    (folder / "samples").mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / name, stems=np.array(["a"] * 4), matrices=matrices(seed, wrong=wrong))
    base = replace(row, clock=None, data="cityscapes-1a2b3c4d/500", frames=500, samples=name)
    base = replace(base, **more)
    return [replace(base, metric=metric, value=value) for metric, value in (("miou", 0.7195), ("pooled_miou", 0.7201))]


def rich(folder: Path) -> Path:
    """Five dates of ERFNet on a chip, one of them out of memory, ICNet trained, DeepLabV3 drawn and untrained."""
    rows = []
    for i, day in enumerate(DAYS):
        when = f"{day}T08:0{i}:00+00:00"
        for batch, speed in SPEEDS.items():
            now = replace(CHIP, batch=batch, value=speed * (1 + 0.02 * i), when=when)
            rows += [
                now,
                replace(now, metric="latency.median", value=1000 * batch / speed),
                replace(now, metric="temperature.max", value=61.0),
            ]
        rows += scored(folder, replace(CHIP, when=when), i, 0.1 + 0.01 * i)
    last = replace(CHIP, when="2026-11-11T09:00:00+00:00")
    rows += [
        replace(last, metric=metric, value=value, clock=None, data="cityscapes-1a2b3c4d/3", frames=3)
        for metric, value in (("agreement.exported", 1.0), ("agreement.operated", 0.99995), ("agreement.kept", 1.0))
    ]
    rows.append(replace(last, batch=4, metric="agreement.batch", value=0.9991, clock=None))
    rows += scored(folder, replace(last, soc="cpu", runtime="eager", provider="cpu", environment=HOST), 9, 0.06)
    rows.append(
        replace(last, batch=64, value=None, outcome="oom", detail="aclmdlLoadFromFile 245000: 64 images do not fit")
    )
    tuned = replace(last, soc="Ascend310P3+aoe", when="2026-11-12T09:00:00+00:00")
    rows += [replace(tuned, batch=batch, value=1.37 * speed) for batch, speed in SPEEDS.items()]
    rows += [
        replace(last, model="deeplabv3", soc="cpu", provider="CPUExecutionProvider", environment=HOST, batch=batch, metric="miou", value=0.01, clock=None, source="sample",
                runtime="onnxruntime", data="sample-v1/6@256x512", frames=6, weights="untrained-deeplabv3.safetensors@0")
        for batch in (1,)
    ]  # fmt: skip
    rows += [
        Record(
            model="icnet", soc="H100", batch=16, metric=metric, value=value, source="measured", runtime="eager",
            data="cityscapes-1a2b3c4d/500", frames=500, weights="fresh", run="H100-8p", devices=8,
            when="2026-11-13T10:00:00+00:00", environment={"python": "3.11.7", "device": "NVIDIA H100", "driver": "550.54"},
            settings={"group": "result", "batch_size": 16, "lr": 0.1, "precision": "fp16", "crop": "960x960", "epochs": 200},
        )
        for metric, value in (("train.miou", 0.6861), ("train.best_miou", 0.6902), ("train.throughput", 412.3))
    ]  # fmt: skip
    name = "samples/erfnet-bs1-Ascend310P3-frames-20261111T090000.npz"
    np.savez_compressed(folder / name, **kept())
    rows.append(
        replace(
            last, metric="frame.miou", value=0.31, clock=None, data="cityscapes-1a2b3c4d/500", frames=500, samples=name
        )
    )
    rows.append(replace(CHIP, runtime=record.STANDIN, value=9999.0, when="2026-11-14T00:00:00+00:00"))
    record.append(folder / "records.jsonl", rows)
    return folder


@pytest.fixture(scope="session")
def models() -> dict[str, ModelCard]:
    """The cards that come with roadworthy."""
    return cards.find([cards.builtin_models()])


@pytest.fixture(scope="session")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of rich records."""
    return rich(tmp_path_factory.mktemp("delivery"))


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder of these records."""

    def make(*rows: Record, name: str = "run") -> Path:
        (tmp_path / name).mkdir(exist_ok=True)
        record.append(tmp_path / name / "records.jsonl", rows)
        return tmp_path / name

    return make


@pytest.fixture(name="chip")
def _chip() -> Record:
    """A measured throughput of ERFNet on a chip."""
    return CHIP


@pytest.fixture(name="scored")
def _scored() -> Callable[..., list[Record]]:
    """Writes matrices, gives their records of mIoU: (folder, record, seed, share of wrong pixels, other fields)."""
    return scored


@pytest.fixture(name="kept")
def _kept() -> Callable[..., dict[str, np.ndarray]]:
    """Makes what `--keep-frames` leaves."""
    return kept

"""Where records come from: the figures that the guides publish, or a run; and where those of a run are kept."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Protocol

from roadworthy import __version__, cache, record, whole
from roadworthy.case import Case
from roadworthy.record import Record

PACKAGES = ("torch", "onnx", "onnxslim", "onnxruntime", "numpy", "pillow", "imagecodecs")


@dataclass
class Kept:
    """Records, and the folder that their samples lie in."""

    records: list[Record]
    out: Path | None


class Evidence(Protocol):
    """What the gates are given."""

    records: list[Record]
    out: Path | None

    def check(self, cases: Iterable[Case]) -> None:
        """Raise Problem where none of these cases can run: bad frames, or bad weights for all of them."""
        ...

    def accuracy(self, case: Case) -> list[Record]:
        """Records of mIoU."""
        ...

    def memory(self, case: Case) -> list[Record]:
        """Records that say whether the case fits its chip's memory."""
        ...

    def throughput_of_chips(self, case: Case) -> list[Record]:
        """Records of throughput of the case's model: of its chip at every batch size, and of the chips to compare with."""
        ...


class Published:
    """The guides' own figures."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.out: Path | None = None

    def check(self, cases: Iterable[Case]) -> None:
        """Figures in a card were checked when it was read."""

    def accuracy(self, case: Case) -> list[Record]:
        """The guide's mIoU on the case's chip at its batch size."""
        cell = (case.soc.name, case.batch, "miou")
        return [r for r in case.card.published() if (r.soc, r.batch, r.metric) == cell]

    def memory(self, case: Case) -> list[Record]:
        """What the guide says of the case's throughput: a figure, or that memory did not suffice."""
        cells = self.throughput_of_chips(case)
        return [r for r in cells if (r.soc, r.batch) == (case.soc.name, case.batch)]

    def throughput_of_chips(self, case: Case) -> list[Record]:
        """All throughput that the guide publishes."""
        return [r for r in case.card.published() if r.metric == "throughput"]


def environment(threads: int | None = None) -> dict[str, str]:
    """What the figures of this process depend on."""
    versions = {package: metadata.version(package) for package in PACKAGES}
    here = {"roadworthy": __version__, "python": platform.python_version(), "cpu": _cpu()}
    return {**here, **versions, **({"threads": str(threads)} if threads else {})}


def commit(evidence: Evidence | Kept, folder: Path) -> None:
    """Add a run's records, with their samples, to the committed ones: `<model>.jsonl` and `samples/`.

    Records of stand-ins are left out. Raises Problem naming the file that could not be written; records already there are kept.
    """
    records = [row for row in evidence.records if row.runtime != record.STANDIN]
    for row in records:
        if row.samples and evidence.out:
            with whole.written(folder / row.samples, "samples") as part:
                shutil.copyfile(evidence.out / row.samples, part)
    for model in dict.fromkeys(row.model for row in records):
        path = folder / f"{model}.jsonl"
        with cache.locked(path):
            record.append(path, [row for row in records if row.model == model])


def _cpu() -> str:
    """The processor's name where the system tells it, else its architecture."""
    table = Path("/proc/cpuinfo")
    lines = table.read_text(encoding="utf-8").splitlines() if table.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()

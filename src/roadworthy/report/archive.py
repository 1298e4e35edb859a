"""Folders of records, read together: each record once, its samples found beside it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from roadworthy import merge
from roadworthy import soc as chips
from roadworthy.card import ModelCard
from roadworthy.problem import Problem
from roadworthy.record import STANDIN, Record


@dataclass(frozen=True)
class Archive:
    """Records, oldest first, and the folders that name each file of samples; `notes` say what was left out and why."""

    records: tuple[Record, ...]
    places: Mapping[str, tuple[Path, ...]]
    notes: tuple[str, ...] = ()

    def arrays(self, record: Record, *names: str) -> list[NDArray[np.generic]]:
        """These arrays of the record's samples; raises Problem naming the file where one is not there or no array."""
        if not record.samples:
            raise Problem(f"the record of {record.when} names no samples")
        path = next((p for p in self._paths(record.samples) if p.is_file()), None)
        if path is None:
            raise Problem(f"{record.samples}: there is no such file beside the records")
        try:
            with np.load(path, allow_pickle=False) as file:
                return [file[name] for name in names]
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
            told = " ".join(str(error).split()) or type(error).__name__
            raise Problem(f"{record.samples}: is not a file of samples with {' and '.join(names)} ({told})") from None

    def _paths(self, name: str) -> list[Path]:
        """Where samples may lie: inside the folders of the records alone, whatever their name says."""
        found = [(folder / name, folder) for folder in self.places.get(name, ())]
        return [path for path, folder in found if path.resolve().is_relative_to(folder.resolve())]


def read(folders: Sequence[Path], cards: Mapping[str, ModelCard], tell: Callable[[str], None]) -> Archive:
    """All records of the folders that are of a known model and chip and of no stand-in.

    Tells of a last line that a crash cut short. Raises Problem for a folder without records, a line that is no record,
    and two records that contradict each other.
    """
    for folder in folders:
        if not folder.is_dir():
            raise Problem(f"{folder}: there is no such folder; --records takes one with *.jsonl files, such as a run's")
        if not any(folder.glob("*.jsonl")):
            raise Problem(f"{folder}: holds no *.jsonl file; --records takes a folder of records, such as a run's")
    lines = merge.read(folders, tell)
    if not lines:
        raise Problem(f"{folders[0]}: its *.jsonl files hold no record; a run with --out DIR leaves some")
    places: dict[str, tuple[Path, ...]] = {}
    for line in lines:
        if line.record.samples:
            places[line.record.samples] = (*places.get(line.record.samples, ()), line.path.parent)
    found = merge.joined(lines)
    kept = [r for r in found if r.model in cards and r.soc in chips.socs() and r.runtime != STANDIN]
    return Archive(tuple(kept), {n: tuple(dict.fromkeys(p)) for n, p in places.items()}, tuple(_left_out(found, cards)))


def _left_out(found: Sequence[Record], cards: Mapping[str, ModelCard]) -> list[str]:
    left = []
    if strange := [r.model for r in found if r.model not in cards]:
        left.append(f"{len(strange)} of models without a card ({_some(strange)}; --models takes a folder of cards)")
    known = [r for r in found if r.model in cards]
    if unknown := [r.soc for r in known if r.soc not in chips.socs()]:
        left.append(f"{len(unknown)} of unknown chips ({_some(unknown)})")
    if standins := sum(r.runtime == STANDIN for r in known):
        left.append(f"{standins} of stand-ins for tests, which say nothing of a chip")
    return [f"Records left out: {', '.join(left)}"] if left else []


def _some(names: Sequence[str]) -> str:
    shown = sorted(set(names))
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")

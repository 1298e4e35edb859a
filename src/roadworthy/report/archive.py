"""Folders of records, read together: each record once, its samples found beside it."""

from __future__ import annotations

import sys
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from roadworthy import merge
from roadworthy import soc as chips
from roadworthy.card import ModelCard
from roadworthy.merge import Line
from roadworthy.problem import Problem
from roadworthy.record import STANDIN, Clock, Record

NONE = type(None)
KINDS: Mapping[str, Any] = {  # of what is shown; merge checks what records are joined by
    "environment": dict,
    "settings": dict,
    "detail": (str, NONE),
    "provider": (str, NONE),
    "clock": (str, NONE),
    "frames": (int, NONE),
}
LARGEST = 2**32  # bytes of an array: 500 frames that were kept are half of it
CLOCKS = (*get_args(Clock), None)
WORDS = {dict: "a table", (str, NONE): "a text, or null", (int, NONE): "a whole number, or null"}

UNREADABLE = (  # what zipfile and numpy raise of files that are cut short, encrypted, of another kind, or too large
    OSError,
    ValueError,
    EOFError,
    KeyError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)


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
        found = [folder / record.samples for folder in self.places.get(record.samples, ())]
        try:
            path = next((path for path in found if path.is_file()), None)
        except OSError as error:
            raise Problem(f"{record.samples[:40]}: no file has such a name ({error.strerror})") from None
        if path is None:
            raise Problem(f"{record.samples}: there is no such file beside the records")
        if not zipfile.is_zipfile(path):
            raise Problem(f"{record.samples}: is not a file of samples (.npz)")
        try:
            with zipfile.ZipFile(path) as file:
                return [_array(file, f"{name}.npy") for name in names]
        except UNREADABLE as error:
            told = " ".join(str(error).split()) or type(error).__name__
            raise Problem(f"{record.samples}: is not a file of samples with {' and '.join(names)} ({told})") from None


def _array(file: zipfile.ZipFile, name: str) -> NDArray[np.generic]:
    """An array of a file; raises one of UNREADABLE where there is none, or one larger than LARGEST."""
    if (size := file.getinfo(name).file_size) > LARGEST:
        raise ValueError(f"{name} holds {size / 2**30:.1f} GiB; more than {LARGEST / 2**30:.0f} are not read")
    with file.open(name) as content:
        array: NDArray[np.generic] = np.lib.format.read_array(content, allow_pickle=False)
        return array


def read(folders: Sequence[Path], cards: Mapping[str, ModelCard], tell: Callable[[str], None]) -> Archive:
    """All records of the folders that are of a known model and chip and of no stand-in.

    A file of records stands for itself. Tells of a last line that a crash cut short. Raises Problem for a folder without
    records, a line that is no record, and two records that contradict each other.
    """
    lines = merge.read(folders, tell)
    if folders and not lines:
        raise Problem(f"{folders[0]}: holds no record; --records takes a folder of *.jsonl files, such as a run's")
    for line in lines:
        _check(line)
    places: dict[str, tuple[Path, ...]] = {}
    for line in lines:
        if line.record.samples:
            places[line.record.samples] = (*places.get(line.record.samples, ()), line.path.parent)
    found = merge.joined(lines)
    kept = [r for r in found if r.model in cards and r.soc in chips.socs() and r.runtime != STANDIN and _is_finite(r)]
    return Archive(tuple(kept), {n: tuple(dict.fromkeys(p)) for n, p in places.items()}, tuple(_left_out(found, cards)))


def _check(line: Line) -> None:
    """Raise Problem where something that is shown is not of its kind."""
    for name, kind in KINDS.items():
        found = getattr(line.record, name)
        if isinstance(found, bool) or not isinstance(found, kind):
            raise Problem(f"{line}: {name} is {found!r}; it must be {WORDS[kind]}")
    if line.record.clock not in CLOCKS:
        raise Problem(f"{line}: clock is {line.record.clock!r}; it must be {', '.join(get_args(Clock))} or null")
    if not isinstance(group := line.record.settings.get("group"), str | NONE):
        raise Problem(f"{line}: settings.group is {group!r}; it must be a text, or null")


def _left_out(found: Sequence[Record], cards: Mapping[str, ModelCard]) -> list[str]:
    left = []
    if strange := [r.model for r in found if r.model not in cards]:
        left.append(f"{len(strange)} of models without a card ({_some(strange)}; --models takes a folder of cards)")
    known = [r for r in found if r.model in cards]
    if unknown := [r.soc for r in known if r.soc not in chips.socs()]:
        left.append(f"{len(unknown)} of unknown chips ({_some(unknown)})")
    if standins := sum(r.runtime == STANDIN for r in known):
        left.append(f"{standins} of stand-ins for tests, which say nothing of a chip")
    if endless := sum(not _is_finite(r) for r in known):
        left.append(f"{endless} whose value is no number")
    return [f"Records left out: {', '.join(left)}"] if left else []


def _is_finite(record: Record) -> bool:
    return record.value is None or abs(record.value) <= sys.float_info.max  # JSON has whole numbers above it


def _some(names: Sequence[str]) -> str:
    shown = sorted(set(names))
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")

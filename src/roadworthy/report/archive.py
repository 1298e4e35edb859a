"""Records with their samples: the arrays of the file beside each."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from roadworthy import merge, sources
from roadworthy.card import ModelCard
from roadworthy.merge import Line
from roadworthy.problem import Problem
from roadworthy.record import Record

LARGEST = 2**32  # bytes of an array: 500 frames that were kept are half of it

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
    """Records, oldest first, and the lines that name each file of samples; `notes` say what was left out and why."""

    records: tuple[Record, ...]
    lines: Mapping[str, Sequence[Line]]
    notes: tuple[str, ...] = ()

    def arrays(self, record: Record, *names: str) -> list[NDArray[np.generic]]:
        """These arrays of the record's samples.

        They lie beside a line that is this record: another machine's samples may have the same name. Raises Problem
        naming the file where one is not there or no array, or where the record has two files that differ.
        """
        if not record.samples:
            raise Problem(f"the record of {record.when} names no samples")
        folders = [line.path.parent for line in self.lines.get(record.samples, ()) if line.record == record]
        try:
            found = merge.samples(folders, record.samples)
        except OSError as error:
            raise Problem(f"{record.samples[:40]}: cannot be read ({error.strerror})") from None
        if not found:
            raise Problem(f"{record.samples}: there is no such file beside the records")
        path = found[0]
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


def read(named: Sequence[Path], cards: Mapping[str, ModelCard], tell: Callable[[str], None]) -> Archive:
    """The records of files and folders that say something, as `sources.read` gives them, with their samples."""
    found = sources.read(named, cards, tell)
    lines: dict[str, list[Line]] = {}
    for line in found.lines:
        if line.record.samples:
            lines.setdefault(line.record.samples, []).append(line)
    return Archive(found.records, lines, found.notes)

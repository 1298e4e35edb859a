"""Records of several machines -> one list: duplicates once, contradictions refused, every origin as it was."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from roadworthy import fingerprint, markdown, record, whole
from roadworthy.problem import Problem
from roadworthy.record import SCHEMA_VERSION, Record

RECORDS = "records.jsonl"  # of a folder, as a run writes it
MEASUREMENT = ("model", "soc", "batch", "metric", "run", "when", "weights", "data", "runtime", "devices")
SHOWN = 8  # contradictions that are told


@dataclass(frozen=True)
class Line:
    """A record, and where it stood."""

    record: Record
    path: Path
    number: int

    def __str__(self) -> str:
        return f"{self.path}:{self.number}"


def read(sources: Iterable[Path], tell: Callable[[str], None]) -> list[Line]:
    """The lines of files, and of all `*.jsonl` of folders, as records of this schema version.

    Tells of a last line that a crash cut short. Raises Problem naming a source that is not there, or a line that is no
    record.
    """
    paths = [path for source in sources for path in _files(source)]
    found = [Line(r, path, number) for path in paths for number, r in enumerate(record.read(path, tell), 1)]
    return [replace(line, record=replace(line.record, schema_version=SCHEMA_VERSION)) for line in found]


def joined(lines: Sequence[Line]) -> list[Record]:
    """Every record once, ordered by when it was made; those made at once, or by guides, as they came.

    Raises Problem naming the lines where two say to be one measurement and have different values.
    """
    first: dict[Any, Line] = {}
    once: dict[str, Record] = {}
    contradictions = []
    for line in lines:
        other = first.setdefault(tuple(getattr(line.record, name) for name in MEASUREMENT), line)
        if _value(other.record) != _value(line.record):
            values = f"{_value(other.record)} against {_value(line.record)}"
            contradictions.append(f"{other} and {line} contradict each other: {_name(line.record)}: {values}")
        once.setdefault(_identity(line.record), line.record)
    if contradictions:
        more = len(contradictions) - SHOWN
        raise Problem("\n".join(contradictions[:SHOWN] + [f"and {more} more contradictions"] * (more > 0)))
    return sorted(once.values(), key=lambda r: r.when or "")


def samples(folders: Iterable[Path], name: str) -> list[Path]:
    """The files of samples of this name below the folders; raises Problem where two of them differ."""
    files = [folder / name for folder in dict.fromkeys(folders) if (folder / name).is_file()]
    for other in files[1:]:
        if fingerprint.of_file(files[0]) != fingerprint.of_file(other):
            raise Problem(f"{files[0]} and {other} are samples of one name, and differ")
    return files


def is_folder(out: str) -> bool:
    """Whether this is to be a folder: one that is there, or a new name that ends with a slash or has no suffix."""
    return Path(out).is_dir() or (not Path(out).exists() and (out.endswith(("/", os.sep)) or not Path(out).suffix))


def write_file(path: Path, records: Sequence[Record]) -> None:
    """The records as a JSON Lines file: all of them, or the file as it was.

    Raises Problem where the file that is there holds something that would be lost, or cannot be written.
    """
    _check_nothing_is_lost(path, records)
    with whole.written(path, "records") as part, part.open("wb") as file:
        file.writelines(map(record.line, records))
        file.flush()
        os.fsync(file.fileno())


def write_folder(folder: Path, lines: Sequence[Line], records: Sequence[Record], tell: Callable[[str], None]) -> None:
    """The records as a run leaves them: `records.jsonl`, their samples beside it under the names that they had.

    Tells of samples that are nowhere. Raises Problem as `write_file`, where two files of samples of one name differ, and
    where the folder holds other records, which readers of the folder would count twice.
    """
    if others := sorted(path.name for path in folder.glob("*.jsonl") if path.name != RECORDS):
        raise Problem(f"{folder}: holds {others[0]}, which would be read beside {RECORDS}; name another folder")
    _check_nothing_is_lost(folder / RECORDS, records)
    found = {name: samples([*places, folder], name) for name, places in _places(lines).items()}
    for name, files in found.items():
        if files and not (folder / name).is_file():
            with whole.written(folder / name, "samples") as part:
                part.write_bytes(files[0].read_bytes())
    if lost := [name for name, files in found.items() if not files]:
        tell(f"{folder}: {len(lost)} files of samples are not beside the records that name them, such as {lost[0]}")
    write_file(folder / RECORDS, records)


def _files(source: Path) -> list[Path]:
    if not source.is_dir():
        if not source.exists():
            raise Problem(f"{source}: there is no such file or folder of records")
        return [source]
    found = sorted(source.glob("*.jsonl"))
    if not found:
        raise Problem(f"{source}: there is no *.jsonl in this folder; a run writes {RECORDS}")
    return found


def _check_nothing_is_lost(path: Path, records: Iterable[Record]) -> None:
    """Raise Problem where a file is there that is no file of records, or has some that are not among these."""
    if not path.exists():
        return
    if not path.is_file():
        raise Problem(f"{path}: is no file; --out names a file or a folder for records")
    known = set(map(_identity, records))
    old = [_identity(replace(r, schema_version=SCHEMA_VERSION)) for r in record.read(path)]
    if lost := [row for row in old if row not in known]:
        what = f"holds {len(lost)} records that are not among the joined"
        raise Problem(f"{path}: {what}; name it among those to join, or another --out")


def _places(lines: Iterable[Line]) -> dict[str, list[Path]]:
    """The folders of the records that name them, by the name of samples."""
    places: dict[str, list[Path]] = {}
    for line in lines:
        if line.record.samples:
            places.setdefault(line.record.samples, []).append(line.path.parent)
    return places


def _identity(row: Record) -> str:
    """The same for two records that are equal in everything."""
    return json.dumps(vars(row), sort_keys=True, default=dict)


def _value(row: Record) -> float | str:
    if row.value is None:
        return row.outcome
    return "nan" if math.isnan(row.value) else row.value


def _name(row: Record) -> str:
    """What a record is of, in words."""
    cell = f"{row.devices}p" if row.devices else f"bs{row.batch}"
    return markdown.line(f"{row.metric} of {row.model}-{cell}-{row.soc}, {row.when or f'{row.source}, without a date'}")

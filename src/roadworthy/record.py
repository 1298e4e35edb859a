"""One number with its origin, and the append-only file that keeps such numbers.

Format history of the JSON Lines file (one record a line):
1 (2026-11): first.
2 (2026-11): `run`, `devices`, `settings` of training; metrics train.*. Version 1 is read as it is.
3 (2026-11): `evidence`; metrics temperature.max and power.mean; runtime `standin`. Versions 1 and 2 are read as they are.
4 (2026-11): metric frame.miou. Versions 1 to 3 are read as they are.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import reprlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from roadworthy import row as rows
from roadworthy.problem import Problem

SCHEMA_VERSION = 4

UNTRAINED = "untrained-"  # how files of weights begin that nobody trained
ROUNDING = 1e-6  # by which a mean in float32 may be above 1
COLDEST = -273.15  # degrees Celsius
MOST = 10**9  # above it is what no measurement gives: images/s, a batch, ms of eleven days
STANDIN = "standin"  # the runtime of figures that say nothing of a chip: tools for tests made them

Outcome = Literal["ok", "oom", "timeout", "crash", "unsupported", "unstable"]
Origin = Literal["published", "measured", "emulated", "sample"]
Clock = Literal["device", "wall"]

UNITS: Mapping[str, str] = MappingProxyType(
    {
        "miou": "fraction",
        "pooled_miou": "fraction",
        "frame.miou": "fraction",  # of the worst frame by itself; the samples hold the worst frames
        "agreement.exported": "fraction of pixels",  # exported graph against the torch module that was exported
        "agreement.operated": "fraction of pixels",  # graph after surgery against torch doing the same surgery
        "agreement.kept": "fraction of pixels",  # graph after surgery against the torch module that is evaluated
        "agreement.batch": "fraction of pixels",  # this batch size against batch 1
        "throughput": "images/s",
        "latency.median": "ms",
        "latency.p95": "ms",
        "temperature.max": "degrees Celsius",  # of the device, while throughput was sampled
        "power.mean": "W",
        "train.miou": "fraction",  # after the last epoch
        "train.best_miou": "fraction",  # of the best epoch
        "train.throughput": "images/s",  # of all devices together
    }
)


@dataclass(frozen=True, kw_only=True)
class Record:
    """One measured or published number of one cell. `value` is in `UNITS[metric]`, None unless `outcome` is ok."""

    model: str
    soc: str
    batch: int | None  # None: the source says it for all batch sizes; of training: crops a device
    metric: str
    value: float | None
    outcome: Outcome = "ok"
    source: Origin
    clock: Clock | None = None
    runtime: str | None = None
    provider: str | None = None  # what ran in fact, asked of the session
    data: str | None = None  # data set and its digest
    frames: int | None = None
    weights: str | None = None  # file name and its digest
    when: str | None = None  # ISO 8601, in UTC once read; of training one for all records of a run
    environment: Mapping[str, str] = field(default_factory=dict)
    samples: str | None = None  # file beside the records: matrices, worst frames, or latencies
    detail: str | None = None  # the reason where there is no value
    evidence: tuple[str, ...] = ()  # lines of a tool that say it
    run: str | None = None  # name of a training run
    devices: int | None = None  # that trained together
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the training run
    schema_version: int = SCHEMA_VERSION

    @property
    def untrained(self) -> bool:
        """Whether the weights were made from the names of parameters, because none were there."""
        return (self.weights or "").startswith(UNTRAINED)

    @property
    def endless(self) -> bool:
        """Whether the value is no number, or infinite, which JSON lines may hold."""
        return isinstance(self.value, float) and not math.isfinite(self.value)

    @property
    def size(self) -> str | None:
        """The size such as 256x512 at which drawn frames were judged, where it is not the card's input."""
        found = re.search(r"@(\d+x\d+)$", self.data or "")
        return found[1] if found else None

    def __post_init__(self) -> None:
        if self.metric not in UNITS:
            raise ValueError(f"metric is {self.metric!r}; it must be one of {', '.join(UNITS)}")
        if self.outcome not in get_args(Outcome):
            raise ValueError(f"outcome is {self.outcome!r}; it must be one of {', '.join(get_args(Outcome))}")
        if self.source not in get_args(Origin):
            raise ValueError(f"source is {self.source!r}; it must be one of {', '.join(get_args(Origin))}")
        if self.clock not in (*get_args(Clock), None):
            raise ValueError(f"clock is {self.clock!r}; it must be {', '.join(get_args(Clock))} or null")
        if (self.value is None) == (self.outcome == "ok"):
            raise ValueError(
                f"value is {self.value!r} with outcome {self.outcome!r}; a value goes with ok, and only with ok"
            )
        if told := _out_of_range(self):
            raise ValueError(told)


NEEDED = tuple(f.name for f in fields(Record) if f.default is MISSING and f.default_factory is MISSING)


def append(path: Path, records: Iterable[Record]) -> None:
    """Add records to a JSON Lines file; on a failed write (disk full) the file is put back as it was.

    A last line that a crash cut short is replaced. One writer at a time: the caller holds a lock where there may be
    others. Raises Problem naming the file and the reason.
    """
    lines = b"".join(map(line, records))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = _whole_lines(path.read_bytes() if path.exists() else b"")
    except OSError as error:
        raise Problem(f"{path}: the record could not be written ({error.strerror})") from error
    before = len(whole)
    try:
        with path.open("ab") as file:
            file.truncate(before)
            file.write(lines if whole.endswith(b"\n") or not whole else b"\n" + lines)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        with contextlib.suppress(OSError):
            os.truncate(path, before)
        raise Problem(f"{path}: the record could not be written ({error.strerror}); older records are kept") from error


def line(record: Record) -> bytes:
    """A record as it stands in the file, names as they are; half a character, which UTF-8 has not, as its escape."""
    return f"{json.dumps(asdict(record), ensure_ascii=False)}\n".encode(errors="backslashreplace")


def read(path: Path, tell: Callable[[str], None] = lambda _: None) -> list[Record]:
    """The records of a JSON Lines file or pipe, oldest first; none of a file that is not there.

    A last line that a crash cut short is left out, of which `tell` is told. Raises Problem naming file and line when a
    line is no record of a schema version that this program knows.
    """
    content = path.read_bytes() if path.exists() else b""  # once: what a pipe has given is gone
    whole = _whole_lines(content)
    if len(whole) < len(content):
        tell(f"{path}: the last line was cut short and is left out")
    return [_parse(row, f"{path}:{number}") for number, row in enumerate(whole.splitlines(), 1)]


def read_folder(folder: Path) -> list[Record]:
    """All records of all `*.jsonl` of a folder, files in the order of their names."""
    return [record for path in sorted(folder.glob("*.jsonl")) for record in read(path)]


def _out_of_range(row: Record) -> str | None:
    """What no measurement gives, such as percent for a fraction; None where all is well."""
    for name, least in (("batch", 1), ("devices", 1), ("frames", 0)):
        if told := _outside(getattr(row, name), least, MOST):
            return f"{name} {told}"
    if row.endless:
        return None
    unit = UNITS[row.metric]
    if unit.startswith("fraction") and _outside(row.value, 0, 1 + ROUNDING):
        return f"{row.metric} is {reprlib.repr(row.value)}; it must be a fraction from 0 to 1"
    told = _outside(row.value, COLDEST if unit == "degrees Celsius" else 0, MOST)
    return told and f"{row.metric} {told}"


def _outside(found: float | None, least: float, most: float) -> str | None:
    if found is None or least <= found <= most:
        return None
    return f"is {reprlib.repr(found)}; it must be {f'{least} or more' if found < least else f'at most {most}'}"


def _parse(text: bytes, where: str) -> Record:
    row = rows.parsed(text, where)
    if "schema_version" not in row:
        raise Problem(f"{where}: not a record: schema_version is missing; this program reads 1 to {SCHEMA_VERSION}")
    if row["schema_version"] not in range(1, SCHEMA_VERSION + 1):
        found = row["schema_version"]
        raise Problem(f"{where}: schema_version is {found!r}; this program reads 1 to {SCHEMA_VERSION}")
    if unknown := row.keys() - rows.FIELDS.keys():
        raise Problem(f"{where}: unknown key {min(unknown)!r}")
    if missing := [name for name in NEEDED if name not in row]:
        raise Problem(f"{where}: not a record: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing")
    try:
        return Record(**rows.checked(row, where))
    except ValueError as error:
        raise Problem(f"{where}: not a record: {error}") from None


def _whole_lines(content: bytes) -> bytes:
    """A file without a last line that a crash cut short; an editor may have left a whole one without its end."""
    cut = content.rfind(b"\n") + 1
    return content if rows.is_whole(content[cut:]) else content[:cut]

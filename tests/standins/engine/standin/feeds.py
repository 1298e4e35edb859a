"""Files on disk -> what is fed in each run: grouped by size, the last run filled up."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import numpy as np

from standin import console

SUFFIXES = (".bin", ".BIN", ".npy", ".NPY")
FILLER = None
Batch = list[str | None]


def batches(text: str, sizes: list[int]) -> list[list[Batch]]:
    """For each run and each input the files to be joined; FILLER is a copy of the run's first file."""
    lists = file_lists(text, len(sizes))
    files0 = file_size(lists[0][0])
    if not files0 or sizes[0] % files0:
        raise complain(f"arg0 tensorsize: {sizes[0]} filesize: {files0} not match")
    per_batch = sizes[0] // files0
    runs = -(-len(lists[0]) // per_batch)
    sized = f"files0 size:{files0} tensor0size:{sizes[0]}"
    console.log("INFO", f"get filesperbatch {sized} filesperbatch:{per_batch} runcount:{runs}")
    return [[fill(files[i * per_batch : (i + 1) * per_batch], per_batch) for files in lists] for i in range(runs)]


def fill(files: list[str], count: int) -> Batch:
    """The files, and fillers up to the count."""
    return [*files, *[FILLER] * (count - len(files))]


def file_lists(text: str, count: int) -> list[list[str]]:
    """For each of the model's inputs its files: from one folder each, or from one list cut into equal runs."""
    parts = text.split(",")
    if all(Path(part).is_dir() for part in parts):
        lists = [folder_files(part) for part in parts]
    elif all(Path(part).is_file() for part in parts) and len(parts) % count == 0:
        run = len(parts) // count
        lists = [parts[i * run : (i + 1) * run] for i in range(count)]
    else:
        raise complain(f"error create_infileslist_from_inputs_list inputs:{text} inputs of the model:{count}")
    if len(lists) != count or len({len(files) for files in lists}) != 1 or not lists[0]:
        raise complain(f"inputs:{text} give {[len(files) for files in lists]} files for {count} inputs of the model")
    return lists


def folder_files(folder: str) -> list[str]:
    """Files of a folder, not of folders in it, in natural order."""
    names = [name for name in os.listdir(folder) if name.endswith(SUFFIXES)]  # noqa: PTH208  # paths stay as given
    return [os.path.join(folder, name) for name in sorted(names, key=natural)]  # noqa: PTH118  # as above


def natural(name: str) -> list[tuple[int, str]]:
    """A key under which runs of digits count as numbers."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]


def file_bytes(path: str) -> bytes:
    """What a file feeds: of .npy only the bytes count."""
    if path.lower().endswith(".npy"):
        return np.load(path).tobytes()
    if path.lower().endswith(".bin"):
        return Path(path).read_bytes()
    raise complain(f"get_narray_from_files_list file_path:{path} suffix not support")


def file_size(path: str) -> int:
    """Bytes that a file feeds."""
    return len(file_bytes(path)) if path.lower().endswith(".npy") else Path(path).stat().st_size


def joined(batch: Batch) -> bytes:
    """The bytes of a run's files, one after another."""
    parts: list[bytes] = []
    for path in batch:
        parts.append(parts[0] if path is FILLER else file_bytes(path))
    return b"".join(parts)


def pure(size: int, kind: str) -> bytes:
    """Bytes of an input that nobody gave."""
    return bytes(size) if kind == "zero" else random.Random(size).randbytes(size)  # noqa: S311  # no secret


def complain(text: str) -> RuntimeError:
    """The cause on stdout, and an exception that says nothing."""
    console.log("ERROR", text)
    return RuntimeError()

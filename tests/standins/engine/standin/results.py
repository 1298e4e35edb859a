"""Where outputs and the summary go, and how they are written."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np

from standin import console
from standin.feeds import FILLER, Batch
from standin.generation import Generation

PURE = "pure_infer_data"


class Folder:
    """One folder of outputs, in the permissions of its generation."""

    def __init__(self, generation: Generation, path: str, args: argparse.Namespace) -> None:
        self.generation, self.path = generation, path
        self.format, self.axis = args.outfmt, args.output_batchsize_axis
        if generation.is_first:
            os.mkdir(path, generation.folder_mode)  # noqa: PTH102  # paths stay as given: "out/./result"
        else:
            make_folders(Path(path), generation.folder_mode)
        self.files: dict[str, dict[str, list[str]]] = {}
        self.next = 0
        console.log("INFO", f"output path:{path}")

    def save(self, batches: list[Batch], outputs: list[np.ndarray]) -> None:
        """The outputs of one run, split among its files; fillers get none, and count as samples."""
        written: list[list[str]] = [[] for _ in batches[0]]
        for index, output in enumerate(outputs):
            parts = self.split(output, batches[0])
            for place, (file, part) in enumerate(zip(batches[0], parts, strict=True)):
                if file is not FILLER:
                    written[place].append(self.write(stem(file), index, part))
        for place, paths in enumerate(written):
            if paths:
                infiles = [str(batch[place]) for batch in batches]
                self.files[str(self.next + place)] = {"infiles": infiles, "outfiles": paths}
        self.next += len(written)

    def split(self, output: np.ndarray, batch: Batch) -> list[np.ndarray]:
        """One part for each file."""
        count = len(batch)
        if count == 1:
            return [output]
        if output.ndim <= self.axis or output.shape[self.axis] % count:
            shapes = f"array shape:{output.shape} filesinfo:{batch} files_count_perbatch:{count} "
            shapes += f"ndata.shape{self.axis}:{output.shape[self.axis]}"
            console.log("ERROR", f"save out files error {shapes}")
            raise RuntimeError
        return np.array_split(output, count, axis=self.axis)

    def write(self, stem_: str, index: int, array: np.ndarray) -> str:
        """The path of one output, written; one of the same name is lost."""
        path = os.path.join(self.path, f"{stem_}_{index}.{self.format.lower()}")  # noqa: PTH118  # as given
        with open_new(path, self.generation.file_mode) as file:
            if self.format == "BIN":
                file.write(array.tobytes())
            elif self.format == "NPY":
                np.save(file, array)
            else:
                np.savetxt(file, array.reshape(-1, array.shape[-1] if array.ndim else 1), fmt="%s")
        return path

    @property
    def summary(self) -> str:
        """Where the summary belongs: the first generation puts it inside, with one m."""
        return f"{self.path}/sumary.json" if self.generation.is_first else f"{self.path}_summary.json"


def open_new(path: str, mode: int):  # a binary file
    """A file for writing, with these permissions where it is new."""
    return open(path, "wb", opener=lambda name, flags: os.open(name, flags, mode))


def stem(path: str) -> str:
    """The file's name up to its first dot."""
    return Path(path).name.split(".")[0]


def make_folders(path: Path, mode: int) -> None:
    """The folder and those above it, all with these permissions; those that are there stay as they are."""
    if not path.is_dir():
        make_folders(path.parent, mode)
        path.mkdir(mode, exist_ok=True)


def folder_path(args: argparse.Namespace) -> str:
    """OUT/<dirname or time>."""
    return os.path.join(args.output, args.output_dirname or time.strftime("%Y_%m_%d-%H_%M_%S"))  # noqa: PTH118
